import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findServerAccount } from '../account.js';
import { adminQuery } from './client.js';
import type { PostgresServer } from './server.js';

const timeoutMs = 60_000;

/**
 * Copies a running server into the new directory `dataDir`, set up to follow it by streaming replication: start it
 * there with `startPostgres`. `binDir` holds `pg_basebackup` of the server's version.
 */
export function copyForStandby(
  primary: PostgresServer,
  { dataDir, binDir }: { readonly dataDir: string; readonly binDir: string },
): void {
  mkdirSync(dataDir);
  chmodSync(dataDir, 0o700);
  const account = findServerAccount(primary.dataDir);
  if (account !== null) chownSync(dataDir, account.uid, account.gid);
  const { password } = new URL(primary.adminUrl);
  const args = ['-D', dataDir, '-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres'];
  // -R writes standby.signal and where to follow; the first checkpoint is not waited for.
  const { status, stderr } = spawnSync(join(binDir, 'pg_basebackup'), [...args, '-R', '-X', 'stream', '-c', 'fast'], {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C', PGPASSWORD: decodeURIComponent(password) },
    ...(account && { uid: account.uid, gid: account.gid }),
  });
  if (status !== 0) throw new Error(`pg_basebackup failed: ${stderr}`);
}

/** From now on the primary commits nothing before its standby has it on disk. Resolves when that holds. */
export async function untilSynchronous({ adminUrl }: PostgresServer): Promise<void> {
  await adminQuery(adminUrl, `alter system set synchronous_standby_names = '*'`);
  await adminQuery(adminUrl, 'select pg_reload_conf()');
  for (const deadline = performance.now() + timeoutMs; ; await delay(50)) {
    const rows = await adminQuery(adminUrl, `select 1 from pg_stat_replication where sync_state = 'sync'`);
    if (rows.length > 0) return;
    if (performance.now() > deadline) throw new Error('no standby became synchronous');
  }
}

/** Makes a standby a primary; resolves when it takes writes. */
export async function promoteStandby({ adminUrl }: PostgresServer): Promise<void> {
  await adminQuery(adminUrl, 'select pg_promote(true, 60)');
}
