import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { canEnter, findServerAccount } from '../account.js';

/**
 * Makes the home's directory, closed to others. Root's is passable, not readable: the account that runs PostgreSQL for
 * root must get through to its own directory, and every directory that holds a secret is closed by itself.
 */
export function makeHome(path: string): void {
  mkdirSync(dirname(path), { recursive: true }); // the directories above it are not ours to close
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid } = statSync(path);
  const own = process.getuid?.() ?? uid;
  if (uid !== own) throw new Error(`${path} belongs to another account (uid ${String(uid)})`);
  chmodSync(path, own === 0 ? 0o711 : 0o700);
}

/** Makes a directory that only its owner can enter, or closes one that is there. */
export function makePrivate(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  return path;
}

/**
 * Where the home's PostgreSQL has its data: in the home, or, when the account that runs PostgreSQL for root cannot get
 * there (the home lies under /root, or under another directory of mode 0700), in /var/lib/keyfare, in a place that
 * belongs to this home alone.
 */
export function placePostgres(path: string): string {
  const inside = join(path, 'postgres');
  const account = findServerAccount(inside);
  if (account === null || canEnter(account, path)) return inside;
  const outside = join('/var/lib/keyfare', createHash('sha256').update(resolve(path)).digest('hex').slice(0, 16));
  mkdirSync(outside, { recursive: true });
  chmodSync('/var/lib/keyfare', 0o711);
  chmodSync(outside, 0o711);
  return join(outside, 'postgres');
}
