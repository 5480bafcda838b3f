import type { FreeCalls } from '@keyfare/core/metering';

/** Calls of a priced route that callers without a key get for nothing. Callers with a key have their plan. */
export interface FreeOptions {
  /** How many each caller has in a period. */
  readonly calls: number;
  /**
   * Who is counted. `address`: a caller who shows neither key nor payment, by its IPv4 address or the /64 of its IPv6
   * one. `wallet`: the wallet of a payment that it could make and that is not used; nothing of it is moved.
   */
  readonly per: 'wallet' | 'address';
  /** In UTC. */
  readonly period: 'day' | 'month';
  /** How many all callers have in a period together. @default a thousand times `calls` */
  readonly total?: number;
}

const mostCalls = 1_000_000;
const mostInTotal = 1_000_000_000;

/** What a handler declares of its free calls, and what is wrong with it. */
export function readFree({ calls, per, period, total = 1_000 * calls }: FreeOptions): {
  readonly calls: FreeCalls;
  readonly faults: readonly string[];
} {
  const faults: string[] = [];
  if (!isWhole(calls, 1, mostCalls)) faults.push(`free.calls must be a whole number from 1 to ${mostCalls}`);
  else if (!isWhole(total, calls, mostInTotal)) {
    faults.push(`free.total must be a whole number, at least free.calls and at most ${mostInTotal}`);
  }
  if (!['wallet', 'address'].includes(per)) faults.push('free.per must be "wallet" or "address"');
  if (!['day', 'month'].includes(period)) faults.push('free.period must be "day" or "month"');
  return { calls: Object.freeze({ calls, per, period, total }), faults };
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
