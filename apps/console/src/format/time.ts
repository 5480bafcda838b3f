/** The languages whose numbers and dates the page writes. */
export const locales = ['en-GB', 'en-US', 'de-DE'] as const;
export type Locale = (typeof locales)[number];

export interface TimeStyle {
  readonly locale: string;
  /** IANA name. */
  readonly timeZone: string;
}

/** A moment, to the second, with its time zone. */
export const formatMoment = (iso: string, { locale, timeZone }: TimeStyle): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', timeZone }).format(new Date(iso));

/** A day that is one in the books: `2026-10-31`. */
export const formatDay = (day: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' }).format(
    new Date(`${day.slice(0, 10)}T00:00:00Z`),
  );

/** A month of the books: `2026-10`. */
export const formatMonth = (month: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    new Date(`${month}-01T00:00:00Z`),
  );

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** How long ago, in the largest whole unit. */
export function formatAge(iso: string, now: number, locale: string): string {
  const seconds = Math.round((Date.parse(iso) - now) / 1_000);
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(Math.trunc(seconds / size), unit);
}

/** The month before that of a moment, as the books name it. */
export function monthBefore(now: Date): string {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7);
}

export const monthOf = (now: Date): string => now.toISOString().slice(0, 7);
