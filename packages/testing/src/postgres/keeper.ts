import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { stopPostgres } from '@keyfare/devstack/postgres';
import { forgetKeeper, hasUsers, lockUsers } from './users.js';

const pauseMs = 500;
/** Test runners start a process for each file: between two of them nobody uses the server. */
const lingerMs = 3_000;

/**
 * A process of its own, that outlives the test runner: stops the server when no process uses it any more, however they
 * ended, and ends itself.
 */
const [, , path = '', dataDir = ''] = process.argv;
const home = { path };
let usedAtMs = performance.now();
for (;;) {
  await delay(pauseMs);
  // Somebody removed the folder: PostgreSQL notices within a minute and ends by itself.
  if (!existsSync(path)) break;
  if (hasUsers(home)) usedAtMs = performance.now();
  else if (performance.now() - usedAtMs > lingerMs && (await stopUnused())) break;
}

async function stopUnused(): Promise<boolean> {
  const lock = await lockUsers(home);
  try {
    if (hasUsers(home)) return false;
    await stopPostgres({ dataDir });
    forgetKeeper(home);
    return true;
  } finally {
    lock.release();
  }
}
