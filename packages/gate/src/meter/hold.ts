import type { Bucket } from './bucket.js';

/** Units set aside on one counter. */
interface HeldAmount {
  readonly counter: Bucket;
  readonly units: bigint;
  /** Whether the units come out of a lease; where the plan has no hard limit they do not. */
  readonly leased: boolean;
}

/**
 * What is set aside for one call: amounts on counters, of which a call has one today, its account's month. It ends
 * once, posted or voided; ending it again does nothing.
 */
export interface KeyHold {
  readonly rail: 'key';
  readonly amounts: readonly HeldAmount[];
  /** The units held: the most that the post may say. */
  readonly units: bigint;
  /** The start of the period whose allowance the units come from. */
  readonly periodStart: Date;
  /** The name of the process under which the units were leased: the post is fenced by it. */
  readonly writer: string;
  ended: boolean;
}

/** How much of a hold was used, and in which group of posts the call is. */
export interface PostedUnits {
  /** The number of the group, as `postKeyCall` resolved it. */
  readonly post: bigint;
  /** At most what was held. */
  readonly units: bigint;
}

/** Holds units of an account's month that its bucket has already set aside. */
export function holdUnits(counter: Bucket, units: bigint, leased: boolean): KeyHold {
  const { periodStart, writer } = counter;
  return { rail: 'key', amounts: [{ counter, units, leased }], units, periodStart, writer, ended: false };
}
