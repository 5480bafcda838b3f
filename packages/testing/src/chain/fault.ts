/** What a node answers instead of a result (JSON-RPC 2.0, section 5.1). */
export class RpcFault extends Error {
  override readonly name = 'RpcFault';

  constructor(
    readonly code: number,
    message: string,
    readonly data?: string,
  ) {
    super(message);
  }
}

/** A call that a contract reverted, with the bytes that it reverted with. */
export class Reverted extends Error {
  override readonly name = 'Reverted';

  constructor(
    readonly reason: string,
    readonly data: `0x${string}`,
  ) {
    super(reason);
  }
}

/**
 * Something that this chain does not play. It is told on stderr too, because callers often take an error for an outage.
 */
export class NotPlayed extends RpcFault {
  constructor(what: string) {
    super(-32_601, `the test chain does not play ${what}`);
  }
}
