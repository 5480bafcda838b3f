/**
 * The node gave no answer: it cannot be reached, is too slow, refuses for now (rate limit, overload), or what it sent
 * is no answer. Nothing is known; the same question may be asked again. `cause` may hold what happened; the message
 * never holds the node's URL, which may hold a key.
 */
export class ChainUnavailable extends Error {
  override readonly name = 'ChainUnavailable';
}

/** Why a question has no answer on this chain: see `ChainError`. */
export type ChainErrorKind =
  /** The node serves another chain than it should. */
  | 'wrong-chain'
  /** The asset is no contract, or not one that answers as a token. */
  | 'not-a-token'
  /** There is no contract where the batch contract should be. */
  | 'no-contract'
  /** The node does not have that block (yet). */
  | 'unknown-block'
  /** The node has the block, and no longer its state. */
  | 'state-unavailable'
  /** The chain changed between two reads that belong together: read again. */
  | 'reorganized'
  /** The node does not know the method. */
  | 'unsupported';

/** The node answered, and the answer rules the question out. Asking again at once does not help. */
export class ChainError extends Error {
  override readonly name = 'ChainError';

  constructor(
    readonly kind: ChainErrorKind,
    message: string,
  ) {
    super(message);
  }
}

/** The node's own error for one call (JSON-RPC 2.0, section 5.1). Inside this package only: callers judge it. */
export class NodeError extends Error {
  override readonly name = 'NodeError';

  constructor(
    readonly code: number,
    message: string,
    readonly data: unknown,
  ) {
    super(message);
  }
}

/**
 * Whether the error is the verdict of the EVM on the call. Geth and most others use code 3 for a revert with data, some
 * -32000 or -32015 with words; running out of gas, or into an opcode that is none, is a verdict as well.
 */
export function isRevert(error: unknown): error is NodeError {
  return error instanceof NodeError && (error.code === 3 || verdicts.test(error.message));
}

const verdicts =
  /\brevert(ed)?\b|out ?of ?gas|invalid (opcode|jump)|invalidfeopcode|opcodenotfound|stack ?(under|over)flow/i;

/**
 * Whether the call needs more gas than it has: it ran out on the way, or its calldata alone costs more (intrinsic gas).
 */
export function isOutOfGas(error: unknown): error is NodeError {
  return (
    error instanceof NodeError && /out ?of ?gas|intrinsic gas|gas ?cost ?more ?than|gas ?too ?low/i.test(error.message)
  );
}

/** "Not now" in the words of nodes and of the providers in front of them. */
export function isThrottled(error: NodeError): boolean {
  return (
    error.code === 429 || /rate.?limit|too many requests|requests? per|quota|capacity|throttl/i.test(error.message)
  );
}

/** What the caller of this package gets for an error of the node that is no answer to the question. */
export function toChainFailure(error: unknown): Error {
  if (error instanceof ChainUnavailable || error instanceof ChainError) return error;
  if (!(error instanceof NodeError)) return error instanceof Error ? error : new Error(String(error));
  if (error.code === -32_601) return new ChainError('unsupported', error.message);
  return new ChainUnavailable(`the node refused: ${error.message}`, { cause: error });
}
