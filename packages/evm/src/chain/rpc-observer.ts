import { ChainError, ChainUnavailable, isRevert } from './errors.js';

/**
 * How a call ended: answered (that the call would revert is an answer), refused by the node, without an answer, or of
 * another chain.
 */
export type RpcOutcome = 'ok' | 'refused' | 'unavailable' | 'wrong-chain';

/** Hears of calls to a node, for metrics and traces. Its methods must not throw. */
export interface RpcObserver {
  /**
   * A call is asked for, in the context of who asks; equal ones that wait are heard once. The function that it answers
   * is called at the call's end.
   */
  began(method: string): (outcome: RpcOutcome) => void;
  /** An HTTP request goes out with so many calls. */
  sent(calls: number): void;
}

/** What a call came to that rejected. */
export function outcomeOf(error: unknown): RpcOutcome {
  if (isRevert(error)) return 'ok';
  if (error instanceof ChainUnavailable) return 'unavailable';
  return error instanceof ChainError && error.kind === 'wrong-chain' ? 'wrong-chain' : 'refused';
}
