import { Problem } from '@keyfare/core/problem';
import { identifierText } from '@keyfare/core/text';
import { type PipeTransform } from '@nestjs/common';

/** An id in a path. 400 for what can be no id; what no one has is a 404 of its controller. */
export const idParam: PipeTransform<string, string> = {
  transform: (id) => {
    if (identifierText.safeParse(id).success) return id;
    throw invalid('the id in the path must be 1 to 128 printable ASCII characters');
  },
};

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
