import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { choosePort } from '@keyfare/devstack/ports';
import { adminQuery } from '@keyfare/devstack/postgres';
import { findServerAccount } from '@keyfare/devstack/server-account';
import { startTestPostgres } from './database.js';

/** A pgbouncer in transaction mode in front of the tests' server. */
export interface Pooler {
  /** For `KEYFARE_TEST_POOLER`. */
  readonly setting: string;
  close(): Promise<void>;
}

/** The login of every program behind the pooler: it has the programs' roles, and owns nothing. */
const login = 'keyfare_pooled';
const roles = ['keyfare_gate', 'keyfare_billing', 'keyfare_billing_reader'];

/** Starts the machine's `pgbouncer`, whose clients share few server connections, so that each transaction gets another one. */
export async function startTestPooler(): Promise<Pooler> {
  const { adminUrl, port: serverPort } = await startTestPostgres();
  const password = decodeURIComponent(new URL(adminUrl).password);
  for (const role of [...roles, login]) {
    const found = await adminQuery(adminUrl, 'select 1 from pg_roles where rolname = $1', [role]);
    if (found.length === 0) await adminQuery(adminUrl, `create role ${role} nologin`);
  }
  await adminQuery(adminUrl, `alter role ${login} login password '${password.replaceAll("'", "''")}'`);
  await adminQuery(adminUrl, `grant ${roles.join(', ')} to ${login}`);
  const folder = mkdtempSync(join(tmpdir(), 'keyfare-pooler-'));
  chmodSync(folder, 0o755);
  const port = await choosePort();
  writeFileSync(join(folder, 'users.txt'), `"${login}" "${password}"\n`);
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${String(serverPort)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${String(port)}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = 4
max_client_conn = 2000
`,
  );
  const child = startAs(findServerAccount(folder), join(folder, 'pgbouncer.ini'));
  await untilOpen(port, child);
  return {
    setting: `${login}@${String(port)}`,
    close: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Root may not run it. */
function startAs(account: ReturnType<typeof findServerAccount>, config: string): ChildProcess {
  return spawn('pgbouncer', ['-q', config], {
    cwd: '/',
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
    ...(account && { uid: account.uid, gid: account.gid }),
  });
}

async function untilOpen(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await delay(50);
  }
  throw new Error(`pgbouncer ended with ${String(child.exitCode)}`);
}
