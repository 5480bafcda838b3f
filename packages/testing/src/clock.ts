import type { Clock } from '@keyfare/core/time';
import { monthOf } from '@keyfare/core/time';

/**
 * The time of a gate, its chain and its payers. It runs on as the machine's does, ahead of it by what the test said.
 */
export interface TestClock extends Clock {
  /**
   * Moves the time ahead: `'90 seconds'`, `'2 hours'`, `'1 month'`, or milliseconds. Months and years are those of the
   * calendar in UTC, and end with the last day of a month that has no such day. Throws `RangeError` for anything else,
   * and for a way back.
   */
  advance(by: string | number): void;
  /** Moves the time ahead to an instant. Throws `RangeError` for one that has passed. */
  set(instant: Date | string): void;
  /** Moves the time to the begin of the next calendar month in UTC, when the allowances of plans begin anew. */
  nextMonth(): void;
}

const unitsMs: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
};

/** A clock that says the machine's time until it is moved ahead. */
export function testClock(): TestClock {
  let aheadMs = 0;
  const clock = (): Date => new Date(Date.now() + aheadMs);
  const set = (instant: Date | string): void => {
    const to = new Date(instant).getTime();
    if (Number.isNaN(to)) throw new RangeError(`${String(instant)} is no instant`);
    const byMs = to - clock().getTime();
    // What was dated once stays true: terms, receipts and blocks have an order.
    if (byMs < 0) throw new RangeError('the clock only moves ahead');
    aheadMs += byMs;
  };
  return Object.assign(clock, {
    set,
    advance: (by: string | number) => set(after(clock(), by)),
    nextMonth: () => set(monthOf(clock()).end),
  });
}

function after(now: Date, by: string | number): Date {
  if (typeof by === 'number') return new Date(now.getTime() + by);
  const [, count = '', unit = ''] = /^(\d{1,9}) ([a-z]+?)s?$/.exec(by) ?? [];
  if (unit === 'month') return monthsAfter(now, Number(count));
  if (unit === 'year') return monthsAfter(now, Number(count) * 12);
  const unitMs = Object.hasOwn(unitsMs, unit) ? unitsMs[unit] : undefined;
  if (unitMs === undefined) throw new RangeError(`${JSON.stringify(by)} is no time: write '90 seconds' or '1 month'`);
  return new Date(now.getTime() + Number(count) * unitMs);
}

function monthsAfter(now: Date, months: number): Date {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth() + months];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const then = new Date(now);
  then.setUTCFullYear(year, month, Math.min(now.getUTCDate(), lastDay));
  return then;
}
