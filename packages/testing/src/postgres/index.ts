import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SharedHome } from '@keyfare/devstack/home';
import { identify } from '@keyfare/devstack/identity';
import { createTestDatabase, type TestDatabase, testServerDir } from '@keyfare/devstack/test-database';
import { openTestHome } from '@keyfare/devstack/test-home';
import { gateMigrations, migrateGate } from '@keyfare/gate/database';
import { addUser, findKeeper, lockUsers, recordKeeper } from './users.js';

/**
 * A database with the gate's schema that nobody else uses, on a PostgreSQL that the test files of these node_modules
 * share. The first one on a machine makes the server and a template, later ones copy the template. The server is
 * stopped soon after the last process that uses it has ended, also when that was killed.
 */
export async function createGateDatabase(): Promise<TestDatabase> {
  const home = openTestHome('kit');
  const dataDir = testServerDir(home);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) {
    process.stderr.write(`@keyfare/testing: first start, makes a PostgreSQL in ${dataDir}\n`);
  }
  await useServer(home, dataDir);
  const template = {
    name: 'kit',
    version: gateMigrations.join(),
    migrate: async (url: string) => void (await migrateGate(url)),
  };
  return await createTestDatabase({ home, template });
}

/** From here on the keeper does not stop the server while this process runs; one is started where none is at work. */
async function useServer(home: SharedHome, dataDir: string): Promise<void> {
  const lock = await lockUsers(home);
  try {
    addUser(home);
    if (findKeeper(home) !== null) return;
    const program = fileURLToPath(new URL('keeper.js', import.meta.url));
    const child = spawn(process.execPath, [program, home.path, dataDir], {
      detached: true, // a Ctrl-C in the terminal is for the runner, whom it outlives
      stdio: 'ignore',
      cwd: '/',
      env: { PATH: process.env['PATH'] },
    });
    child.once('error', () => undefined); // the next test file tries again
    child.unref();
    const keeper = child.pid === undefined ? null : identify(child.pid);
    if (keeper !== null) recordKeeper(home, keeper);
  } finally {
    lock.release();
  }
}
