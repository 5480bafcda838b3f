/** Every class of break. A class keeps its name for ever. */
export const breakClasses = [
  'receipt-invalid',
  'receipt-missing',
  'digest-mismatch',
  'usage-mismatch',
  'terms-missing',
  'call-mismatch',
  'account-ended',
  'terms-mismatch',
  'meter-mismatch',
  'units-over-limit',
  'history-changed',
  'entry-unposted',
  'posting-without-entry',
  'ledger-mismatch',
  'invoice-stale',
  'invoice-mismatch',
  'recorded-not-settled',
  'settled-not-recorded',
  'amount-mismatch',
  'duplicate-settlement',
  'match-mismatch',
  'deferred-overdue',
  'uncollectable',
  'refund-due',
  'unknown-inbound',
  'unknown-outbound',
  'balance-mismatch',
  'intake-stalled',
  'chain-stalled',
  'chain-rewritten',
] as const;

export type BreakClass = (typeof breakClasses)[number];

/** Places of the log: after `after`, up to and with `upto`. */
export interface Stretch {
  readonly after: bigint;
  readonly upto: bigint;
}

/** What a run reads of the log: stretches that do not meet. Null is all of it, and what is behind its end too. */
export type Window = readonly Stretch[] | null;

/** The two arrays of a window, for `inWindow`. */
export function windowColumns(window: Window): readonly [string[] | null, string[] | null] {
  if (window === null) return [null, null];
  return [window.map(({ after }) => after.toString()), window.map(({ upto }) => upto.toString())];
}

/** Whether the place is in the window that the parameters `first` and the next one hold. */
export function inWindow(place: string, first: number): string {
  return `($${first}::bigint[] is null or exists (
    select 1 from unnest($${first}::bigint[], $${first + 1}::bigint[]) as s (after, upto)
    where ${place} > s.after and ${place} <= s.upto))`;
}

/**
 * The rows of a table whose `place` is in the window: by the index on places, one stretch after the other. With no
 * window, all of them.
 */
export function rowsIn(table: string, first: number): string {
  return `(select r.* from ${table} r where $${first}::bigint[] is null
    union all
    select r.* from unnest($${first}::bigint[], $${first + 1}::bigint[]) as s (after, upto)
    join ${table} r on r.place > s.after and r.place <= s.upto)`;
}

/**
 * One comparison, as a query over the books. Each row is a difference: `class`, `subject` (what it is about, one text
 * for each), `keys` (the same for people), `asset` and `amount` (or nulls), `side` and `detail`; and where it is known
 * `happened_at`, when that happened, and of a check with a window `place`. Nothing in a subject or in a detail may
 * change from run to run while the difference stays: it would be another break, or open a resolved one again.
 * Parameters begin at $3; $1 and $2 are the run and its time.
 */
export interface Check {
  /** Of the checks of a run, no two have the same. A check keeps its name: its breaks close by it. */
  readonly name: string;
  /** Those that it looks for, and so whose breaks are over when it does not find them. */
  readonly classes: readonly BreakClass[];
  /** What it reads: it closes only breaks of which the place is in it. Left out by those that read everything. */
  readonly window?: Window;
  /** The same of one that reads no stretch: the breaks of which the key `key` is one of these. */
  readonly among?: { readonly key: string; readonly ids: readonly string[] };
  /** It is left out of this run: its classes are unchecked, and none of its breaks is over. */
  readonly isLeftOut?: true;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** The check, left out of a run that cannot do it. */
export function leftOut(check: Check): Check {
  return { ...check, isLeftOut: true, window: [], text: 'select null::text as class where false', values: [] };
}
