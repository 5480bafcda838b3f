import { type IncomingMessage, ServerResponse } from 'node:http';

/**
 * Node's response with a lock that the way out opens. A handler that writes to the raw response, or sends early hints,
 * passes every hook by: `writeHead` is what each first byte goes through, and an interim response would show headers before
 * the money is sure. A class, and not methods put on each response: that would give Node's code two shapes to look up, on
 * free routes too.
 */
export class GatedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  /** The exchange that says whether bytes may leave; undefined on routes that are not priced. */
  gate: { readonly mayLeave: boolean } | undefined = undefined;

  override writeHead(...args: unknown[]): this {
    if (this.gate?.mayLeave === false) {
      throw new TypeError('a priced route must return its answer: it wrote to the raw response');
    }
    return (super.writeHead as (...all: unknown[]) => this)(...args);
  }

  override writeEarlyHints(...args: unknown[]): void {
    if (this.gate === undefined) (super.writeEarlyHints as (...all: unknown[]) => void)(...args);
  }
}
