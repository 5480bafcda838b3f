import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import { migrateBilling } from '@keyfare/billing/database';
import { SqlPool } from '@keyfare/db/sql';
import { choosePort } from '@keyfare/devstack/ports';
import { migrateGate } from '@keyfare/gate/database';
import { startFreshPostgres } from '../fresh-postgres.js';
import { startProgram } from '../program.js';
import { type BenchLog, openBenchLog, payTo } from './log.js';

/** A running billing over a log, each process and PostgreSQL its own. */
export interface Books {
  readonly log: BenchLog;
  /** As the superuser. */
  readonly sql: SqlPool;
  readonly billing: ChildProcess;
  readonly url: string;
  readonly pids: { readonly billing: number; readonly postgres: number };
  /** Resolves when all that has a place is booked, with how many entries that are. */
  booked(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL, both schemas, the API's keys over HTTP, and billing as it runs in production: over empty books, or
 * what `fill` has put there.
 */
export async function startBooks(fill?: (sql: SqlPool) => Promise<void>): Promise<Books> {
  const { server, pid: postgres, stop: stopPostgres } = await startFreshPostgres();
  await migrateGate(server.adminUrl);
  await migrateBilling(server.adminUrl);
  const sql = new SqlPool({ url: server.adminUrl, applicationName: 'bench', queryTimeoutMs: 600_000 });
  await fill?.(sql);
  const log = await openBenchLog(sql);
  const keys = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [log.jwk] }));
  });
  const [keysPort, port] = [await choosePort(), await choosePort()];
  keys.listen(keysPort, '127.0.0.1');
  const url = `http://127.0.0.1:${String(port)}`;
  const [billing, stopBilling] = await startProgram(
    new URL('billing-server.js', import.meta.url),
    {
      NODE_ENV: 'development',
      DATABASE_URL: server.adminUrl,
      API_JWKS_URL: `http://127.0.0.1:${String(keysPort)}/`,
      RPC_URL: 'http://127.0.0.1:9',
      NETWORK: 'base-sepolia',
      PAY_TO: payTo,
      PORT: String(port),
      INTAKE_INTERVAL_MS: '50',
      CHAIN_INTERVAL_MS: '60000',
      // The chain is away, and is not waited for.
      RECONCILE_WAIT_SECONDS: '0',
      LOG_LEVEL: 'error',
    },
    `${url}/healthz`,
  );
  return {
    log,
    sql,
    billing,
    url,
    pids: { billing: billing.pid ?? 0, postgres },
    booked: () => allBooked(sql),
    stop: async () => {
      await stopBilling();
      keys.close();
      await sql.close();
      await stopPostgres();
    },
  };
}

async function allBooked(sql: SqlPool): Promise<number> {
  for (;;) {
    const [row] = await sql.query<{ read: string; head: string }>({
      name: 'bench_booked',
      text: `select coalesce((select place from billing.feed_cursor), 0) as read, (select place from keyfare.log_head) as head`,
    });
    if (row !== undefined && row.read === row.head) return Number(row.read);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
