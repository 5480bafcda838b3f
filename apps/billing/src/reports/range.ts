import { monthOf, type Period, parseMonth } from '@keyfare/core/time';
import { z } from 'zod';

const dayMs = 86_400_000;

/** A day, `YYYY-MM-DD`, in UTC. */
export const day = z.iso
  .date()
  .refine((text) => text >= '1970-01-01' && text <= '9999-12-30', 'must be from 1970 to 9999');

/** Either a month, or the days `from` to `to`, both of which are part of it; the running month by default. */
export const rangeQuery = {
  month: z.string().max(7).optional(),
  from: day.optional(),
  to: day.optional(),
};

interface RangeQuery {
  readonly month?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Both days or none, in their order, and not beside a month: else the schema that asks this refuses with 400. */
export function isRange({ month, from, to }: RangeQuery): boolean {
  if (from === undefined && to === undefined) return true;
  return month === undefined && from !== undefined && to !== undefined && from <= to;
}

export const rangeMessage = 'must be a month, or from and to, in this order';

/** Of what is read month by month. */
export function isWithinAYear({ from, to }: RangeQuery): boolean {
  return from === undefined || to === undefined || dayAfter(to).getTime() - new Date(from).getTime() <= 366 * dayMs;
}

export const yearMessage = 'must be within 366 days';

export function rangeOf({ month, from, to }: RangeQuery, now: Date): Period {
  if (from !== undefined && to !== undefined) return { start: new Date(from), end: dayAfter(to) };
  return month === undefined ? monthOf(now) : parseMonth(month);
}

/** The midnight at which the day ends. */
export function dayAfter(text: string): Date {
  return new Date(new Date(text).getTime() + dayMs);
}
