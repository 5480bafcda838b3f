/** How long an invoice is overdue, and what it was reminded of. */
export interface Overdue {
  readonly daysOverdue: number;
  /** The level of the last reminder; 0 for none. */
  readonly level: number;
  /** Days since that. */
  readonly daysSince: number | null;
}

/**
 * The level that an invoice is to be reminded of now: `levels` are the days after its due day, rising. One at a time,
 * and each no sooner after the one before than the days between the two: an invoice that nobody looked at for months
 * begins with the first. Null for none.
 */
export function nextLevel({ daysOverdue, level, daysSince }: Overdue, levels: readonly number[]): number | null {
  const days = levels[level];
  if (days === undefined || daysOverdue < days) return null;
  const between = days - (levels[level - 1] ?? days);
  return daysSince !== null && daysSince < between ? null : level + 1;
}
