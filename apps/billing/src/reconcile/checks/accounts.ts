/**
 * The moment of a reading of the API's accounts, against the order of the log: entries up to `place` are older than the
 * reading, entries recorded after `readAt` are younger. Of those in between nothing is certain, so no check decides by them.
 */
export interface AccountsMoment {
  readonly place: bigint;
  /** By the clock of the API's database, in microseconds since 1970. */
  readonly readAt: bigint;
}
