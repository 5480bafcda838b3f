/** What the doctor says of one thing. */
export interface Finding {
  /** What was looked at, such as `database.clock`: the first word names the group. */
  readonly name: string;
  /** `warn`: works, and is not as it should be. `skipped`: could not be looked at, or was not to be. */
  readonly status: 'ok' | 'warn' | 'fail' | 'skipped';
  /** What was found, in one sentence. Never a secret. */
  readonly found: string;
  /** What to do; null where nothing is. */
  readonly remedy: string | null;
}

/** All is well. */
export function ok(name: string, found: string): Finding {
  return { name, status: 'ok', found, remedy: null };
}

/** It works, and is not as it should be. */
export function warn(name: string, found: string, remedy: string): Finding {
  return { name, status: 'warn', found, remedy };
}

/** It does not work, or loses money or secrets. */
export function fail(name: string, found: string, remedy: string): Finding {
  return { name, status: 'fail', found, remedy };
}

/** It was not looked at. */
export function skipped(name: string, why: string): Finding {
  return { name, status: 'skipped', found: why, remedy: null };
}

/**
 * How much later `at` is than the moment between two readings of a clock, beyond what their distance explains; in
 * seconds.
 */
export function skewSeconds(at: number, beforeMs: number, afterMs: number): number {
  const skewMs = at - (beforeMs + afterMs) / 2;
  const doubtMs = (afterMs - beforeMs) / 2;
  return (Math.sign(skewMs) * Math.max(0, Math.abs(skewMs) - doubtMs)) / 1_000;
}

/** A time span for people. */
export function spanText(seconds: number): string {
  const whole = Math.abs(seconds);
  if (whole < 120) return `${whole.toFixed(whole < 10 ? 1 : 0)} s`;
  return whole < 7_200 ? `${Math.round(whole / 60)} min` : `${Math.round(whole / 3_600)} h`;
}

/** The words of an error, without those of its causes. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
