/** Tells the time. Functions of core take a `Date`; only those who call them hold a clock. */
export type Clock = () => Date;

/** The clock of this machine: the default of callers that are given none. */
export const systemClock: Clock = () => new Date();

/** Whole seconds since 1970-01-01T00:00:00Z, as protocols write them. */
export type UnixSeconds = number & { readonly unit: 'UnixSeconds' };

/** `date` in whole seconds, rounded down. An invalid date is a bug: RangeError. */
export function unixSeconds(date: Date): UnixSeconds {
  const seconds = Math.floor(date.getTime() / 1000);
  if (Number.isNaN(seconds)) throw new RangeError('The date is invalid.');
  return seconds as UnixSeconds;
}
