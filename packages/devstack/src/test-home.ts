import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultHomePath, openSharedHome, type SharedHome } from './home/index.js';

/**
 * What all test runs of this checkout, or of these node_modules, share: `.keyfare/test`, or, when this account cannot
 * write there (the checkout is somebody else's), a directory of its own under the system's temporary one. Its
 * PostgreSQL has its data in memory where there is much of that. Another `name` is another home, all of it on disk.
 */
export function openTestHome(name = 'test'): SharedHome {
  const inside = join(defaultHomePath(), name);
  const checkout = createHash('sha256').update(inside).digest('hex').slice(0, 12);
  const own = `keyfare-test-${String(process.getuid?.() ?? 0)}-${checkout}`;
  const home = openSharedHome(isOurs(inside) ? inside : join(tmpdir(), own));
  return name === 'test' ? { ...home, postgresDir: placeInMemory(own) ?? home.postgresDir } : home;
}

/** Removes a stopped server's data where they are in memory. */
export function clearMemory(dataDir: string): void {
  if (dataDir.startsWith(memory)) rmSync(dataDir, { recursive: true, force: true });
}

/** Linux's file system in memory, and how much of it must be free: whole runs stay far below. */
const memory = '/dev/shm';
const enoughBytes = 4 * 2 ** 30;

/**
 * Each test's database is some 850 files. An ext4 without a journal hands no inode out again for minutes after its file
 * was deleted, and looks through all of those for each new one: to copy a database took 0.6 s there, not 0.02 s. Once
 * the directory is made it stays the place for all processes, whatever is free by then.
 */
function placeInMemory(name: string): string | null {
  const place = join(memory, name);
  if (!existsSync(place) && freeBytes(memory) < enoughBytes) return null;
  if (!isOurs(place)) return null;
  chmodSync(place, 0o711); // the account that runs PostgreSQL for root gets through
  return join(place, 'postgres');
}

function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return 0; // no Linux
  }
}

function isOurs(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
    return statSync(path).uid === (process.getuid?.() ?? statSync(path).uid);
  } catch {
    return false;
  }
}
