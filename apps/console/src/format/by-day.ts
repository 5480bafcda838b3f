/** What is drawn of a line of the report of usage. */
export interface LineOfUse {
  /** Such as `2026-10-31`. */
  readonly day: string;
  readonly units: string;
}

/** For drawing: a day's units, and those of the month up to its end. */
interface DayOfUse {
  /** Seconds since 1970. */
  readonly at: number;
  readonly units: number;
  /** Null for a day to come. */
  readonly total: number | null;
}

/** Every day of the month, those without a call too. */
export function byDay(lines: readonly LineOfUse[], month: string, now = new Date()): readonly DayOfUse[] {
  const start = Date.parse(`${month}-01T00:00:00Z`);
  const units = new Map<string, number>();
  for (const { day, units: used } of lines) units.set(day, (units.get(day) ?? 0) + Number(used));
  const days: DayOfUse[] = [];
  let total = 0;
  for (let at = new Date(start); at.toISOString().startsWith(month); at = new Date(at.getTime() + 86_400_000)) {
    const used = units.get(at.toISOString().slice(0, 10)) ?? 0;
    total += used;
    days.push({ at: at.getTime() / 1_000, units: used, total: at > now ? null : total });
  }
  return days;
}
