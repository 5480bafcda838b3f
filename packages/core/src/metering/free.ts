import { dayOf, monthOf, type Period } from '../time/index.js';

/** Calls of a priced route that callers without a key get for nothing. */
export interface FreeCalls {
  /** How many each caller has in a period. */
  readonly calls: number;
  /** Who a caller is: a wallet that shows a payment, or the network address of one who shows nothing. */
  readonly per: 'wallet' | 'address';
  /** In UTC. */
  readonly period: 'day' | 'month';
  /**
   * How many all callers together have in a period: wallets and addresses cost nothing, so nothing else bounds them.
   */
  readonly total: number;
}

/** The period whose free calls a call at `at` belongs to. An invalid date is a bug: RangeError. */
export function freePeriodOf({ period }: Pick<FreeCalls, 'period'>, at: Date): Period {
  return period === 'day' ? dayOf(at) : monthOf(at);
}
