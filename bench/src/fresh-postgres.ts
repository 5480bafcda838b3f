import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePort } from '@keyfare/devstack/ports';
import { type PostgresServer, startPostgres, stopPostgres } from '@keyfare/devstack/postgres';
import { type Stop, start } from './started.js';

/** A PostgreSQL of a bench's own. */
export interface FreshPostgres {
  readonly server: PostgresServer;
  readonly pid: number;
  /** Its data go with it. */
  readonly stop: Stop;
}

/** Starts PostgreSQL on a free port, with its data in a folder that goes away again. */
export async function startFreshPostgres(): Promise<FreshPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'keyfare-bench-'));
  chmodSync(folder, 0o755);
  const dataDir = join(folder, 'postgres');
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const begin = async (): Promise<PostgresServer> => {
    try {
      return await startPostgres({ dataDir, port: await choosePort(), password: randomBytes(16).toString('hex') });
    } catch (error) {
      remove();
      throw error;
    }
  };
  const [server, stop] = await start(begin, async (started) => {
    await stopPostgres(started);
    remove();
  });
  return { server, pid: Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n', 1)[0]), stop };
}
