import { type Period, parseMonth } from '@keyfare/core/time';

/** What to make. */
export interface HistoryOptions {
  /** Customers with a key; at least 2. */
  readonly accounts: number;
  /** Calls of all rails together. */
  readonly calls: number;
  /** Whole calendar months (UTC). */
  readonly months: number;
  readonly seed: string;
  /** The month after the last one, `2026-11`. @default the running month */
  readonly until?: string;
  /** How many of a hundred calls are paid by wallets. @default 2 */
  readonly paidPercent?: number;
  /**
   * Whether breaks are planted. Refunds and unpaid calls, which the history itself has, are there anyway. @default true
   */
  readonly breaks?: boolean;
}

/** The months of a history, the oldest first. Throws for an `until` that is no month. */
export function monthsOf({ months, until }: Pick<HistoryOptions, 'months' | 'until'>, now: Date): readonly Period[] {
  const [year = 0, month = 1] = (until ?? now.toISOString().slice(0, 7)).split('-').map(Number);
  return Array.from({ length: months }, (_, index) => {
    const start = new Date(Date.UTC(year, month - 1 - months + index, 1));
    return parseMonth(start.toISOString().slice(0, 7));
  });
}
