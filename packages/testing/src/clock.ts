import type { Clock } from '@keyfare/core/time';

/** A clock that stands still until it is told to go on. */
export interface FixedClock extends Clock {
  /** Moves the clock, by a negative number back. */
  advance(ms: number): void;
  /** Puts the clock at an ISO 8601 instant. */
  set(iso: string): void;
}

/** A clock that stands at an ISO 8601 instant. Throws `RangeError` for a text that is none. */
export function fixedClock(iso: string): FixedClock {
  let now = instant(iso);
  const clock = () => new Date(now);
  return Object.assign(clock, {
    advance: (ms: number) => {
      now += ms;
    },
    set: (other: string) => {
      now = instant(other);
    },
  });
}

function instant(iso: string): number {
  return Date.parse(new Date(iso).toISOString());
}
