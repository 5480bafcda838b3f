import { Problem } from '../problem/index.js';

/** A span of time with its start and without its end, `[start, end)`. Days and months begin at midnight UTC. */
export interface Period {
  readonly start: Date;
  readonly end: Date;
}

const yearMonth = /^((?:19[7-9]|[2-9]\d\d)\d)-(0[1-9]|1[0-2])$/;

/** The calendar month, in UTC, that `at` lies in. An invalid date is a bug: RangeError. */
export function monthOf(at: Date): Period {
  if (Number.isNaN(at.getTime())) throw new RangeError('The date is invalid.');
  return month(at.getUTCFullYear(), at.getUTCMonth());
}

/** The day, in UTC, that `at` lies in. An invalid date is a bug: RangeError. */
export function dayOf(at: Date): Period {
  if (Number.isNaN(at.getTime())) throw new RangeError('The date is invalid.');
  const [year, index, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  return { start: new Date(Date.UTC(year, index, day)), end: new Date(Date.UTC(year, index, day + 1)) };
}

/** The month written `YYYY-MM`, from `1970-01` to `9999-12`. Refuses any other text: Problem `time/malformed`. */
export function parseMonth(text: string): Period {
  const match = yearMonth.exec(text);
  if (match === null) throw new Problem('time/malformed', 'A month is written YYYY-MM, such as 2026-11.');
  return month(Number(match[1]), Number(match[2]) - 1);
}

/** The month in which `period` starts, as `YYYY-MM`. Total for periods of `monthOf` and `parseMonth`. */
export function formatMonth(period: Period): string {
  return period.start.toISOString().slice(0, 7);
}

function month(year: number, index: number): Period {
  return { start: new Date(Date.UTC(year, index)), end: new Date(Date.UTC(year, index + 1)) };
}
