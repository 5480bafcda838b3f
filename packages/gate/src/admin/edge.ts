import { Problem } from '@keyfare/core/problem';

/** 400 for a time that is past, or further away than `longestMs`. */
export function mustBeToCome(member: string, at: Date, now: Date, longestMs = Number.POSITIVE_INFINITY): void {
  if (at <= now) throw invalid(`${member} must be a time to come`);
  if (at.getTime() - now.getTime() > longestMs) {
    throw invalid(`${member} must be within ${Math.floor(longestMs / 86_400_000)} days`);
  }
}

/** 400 `request/invalid`, as the schemas have it. */
export function invalid(...errors: readonly string[]): Problem {
  return new Problem('request/invalid', undefined, { extensions: { errors } });
}
