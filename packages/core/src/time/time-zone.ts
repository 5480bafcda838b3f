/** A name of the time zone database that this Node knows, such as `Europe/Berlin` or `UTC`; an offset is none. */
export function isTimeZone(name: string): boolean {
  // Node 22 takes `+05:30` too, Node 20 does not.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The day that a zone's clocks show at an instant, as `YYYY-MM-DD`. An invalid date or zone is a bug: RangeError. */
export function dateIn(timeZone: string, at: Date): string {
  if (timeZone === 'UTC') return at.toISOString().slice(0, 10);
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  return `${(parts.get('year') ?? '').padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}`;
}

/** Whether an instant is the first at which a zone's clocks show its day: midnight, where they do not jump over it. */
export function isStartOfDay(timeZone: string, at: Date): boolean {
  return dateIn(timeZone, at) !== dateIn(timeZone, new Date(at.getTime() - 1));
}

/** They are dear to make, and no more are kept than there are zones. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  formats.set(timeZone, made);
  return made;
}

const dayMs = 86_400_000;

/** The instant at which a day, `YYYY-MM-DD`, begins in a zone; of a day that a zone left out, the next one's. */
export function startOfDay(timeZone: string, day: string): Date {
  const midnight = Date.parse(day);
  // No zone is more than a day from UTC.
  let [before, from] = [midnight - 2 * dayMs, midnight + 2 * dayMs];
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2);
    if (dateIn(timeZone, new Date(middle)) < day) before = middle;
    else from = middle;
  }
  return new Date(from);
}
