/** The API's own count of what each account used in a month. */
export interface MeterRow {
  readonly account: string;
  readonly periodStart: Date;
  /** Null for a plan without a limit. */
  readonly limit: bigint | null;
  readonly used: bigint;
  /** Units that leases hold or have used beyond `used`. */
  readonly leased: bigint;
  readonly openLeases: number;
}

/** The terms that the API has in force for an account. */
export interface TermsRow {
  readonly account: string;
  readonly planId: string;
  readonly revision: bigint;
  readonly effectiveAt: Date;
  /** From when on the API sells it nothing. */
  readonly endsAt: Date | null;
}

/**
 * The moment of a reading of the API's accounts, against the order of the log: entries up to `place` are older than the
 * reading, entries recorded after `readAt` are younger. Of those in between nothing is certain, so no check decides by
 * them.
 */
export interface AccountsMoment {
  readonly place: bigint;
  /** By the clock of the API's database, in microseconds since 1970. */
  readonly readAt: bigint;
}

/** What the API says of its accounts, all of it of one moment. */
export interface AccountsReading extends AccountsMoment {
  readonly meter: readonly MeterRow[];
  readonly terms: readonly TermsRow[];
}
