import { hash } from 'node:crypto';

/** The part of a view that an `ETag` is of. */
export type TaggedPart = (view: never) => object;

/** A strong validator of what an operator reads (RFC 9110 §8.8.3): equal views have equal tags, in every process. */
export function etagOf(view: object): string {
  return `"${hash('sha256', JSON.stringify(view), 'base64url')}"`;
}
