/** A path at which no route is, for targets that no route may see. */
const nowhere = '/.well-known/keyfare-unreadable-target';

/**
 * Whether a request target is in origin form (RFC 9112 §3.2.1) and its escapes decode. The absolute form names a host
 * that was not asked, and would make two URLs of one in what is signed.
 */
export function isReadableTarget(target: string): boolean {
  if (!target.startsWith('/') && target !== '*') return false;
  if (!target.includes('%')) return true;
  const [path = ''] = target.split('?', 1);
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** The target, or one that is answered like an address that does not exist, through every hook: see `ProblemFilter`. */
export function routableTarget(target: string): string {
  return isReadableTarget(target) ? target : nowhere;
}
