import type { ProblemCode } from '@keyfare/core/problem';

/** Paths at which no route is, for targets that no route may see. */
const unreadable = '/.well-known/keyfare-unreadable-target';
const tooLong = '/.well-known/keyfare-too-long-target';

/**
 * Whether a request target is in origin form (RFC 9112 §3.2.1), its escapes decode, and none of them is a NUL, which no
 * column of PostgreSQL takes. The absolute form names a host that was not asked, and would make two URLs of one in what
 * is signed; a fragment is no part of a target, and clients would read the signed URL without it.
 */
function isReadableTarget(target: string): boolean {
  if (!target.startsWith('/') && target !== '*') return false;
  if (target.includes('#')) return false;
  if (!target.includes('%')) return true;
  if (target.includes('%00')) return false;
  const [path = ''] = target.split('?', 1);
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** What routing reads of a request. */
interface Incoming {
  readonly url?: string | undefined;
  readonly httpVersion?: string;
  readonly headers?: { readonly host?: string | undefined };
}

/**
 * The target, or one that is answered like an address that does not exist, through every hook: see `targetFault`. A
 * request of HTTP/1.1 without a Host is refused (RFC 9112 §3.2); Node would do that by itself, with an empty answer.
 */
export function routableTarget({ url = '/', httpVersion, headers }: Incoming): string {
  if (httpVersion === '1.1' && headers?.host === undefined) return unreadable;
  return isReadableTarget(url) ? url : unreadable;
}

/** Where a request goes that the router gave up: it is routed once more, and so passes every hook. */
export function refusedTarget(code: string): string {
  return code === 'FST_ERR_MAX_PARAM_LENGTH' ? tooLong : unreadable;
}

/** What is wrong with a target that led nowhere; null when there is just nothing at it. */
export function targetFault(routed: string | undefined, original: string): ProblemCode | null {
  if (routed === tooLong) return 'request/uri-too-long';
  return routed === unreadable || !isReadableTarget(original) ? 'request/malformed' : null;
}
