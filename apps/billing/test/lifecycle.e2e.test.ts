import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { choosePort } from '@keyfare/devstack/ports';
import { openProxy } from '@keyfare/fixtures/proxy';
import { issueToken } from '@keyfare/gate/operators';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { makeOperator, type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));
let world: World;
const services: Service[] = [];

beforeEach(async () => {
  world = await openWorld();
}, 60_000);
afterEach(async () => {
  await Promise.all(services.splice(0).map(async (service) => service.close()));
  await world.close();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<Service> {
  const service = await startService(world, env);
  services.push(service);
  return service;
}

const apiAway = {
  API_JWKS_URL: 'http://127.0.0.1:9/',
  FEED_DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
};

/** An operator whom billing has let in while the API's database was there, and one whom it never saw. */
async function seenBefore(): Promise<{ readonly token: string; readonly stranger: string }> {
  const service = await startService(world);
  const { token } = service;
  expect((await service.call('/breaks')).status).toBe(200);
  await service.close();
  return { token, stranger: await makeOperator(world) };
}

describe('the program', () => {
  it('starts without the API and the chain, answers from the books, and says what is away', async () => {
    const { token } = await seenBefore();
    const service = await start(apiAway);
    const ready = await service.call('/readyz', { token: null });
    expect(ready).toMatchObject({
      status: 200,
      body: { status: 'degraded', database: 'up', feed: 'down', chain: 'down' },
    });
    expect((await service.call('/reports/trial-balance', { token })).status).toBe(200);
    const { body } = await service.reconcile({ token });
    expect(body).toMatchObject({
      report: { entries: { complete: false }, chain: { state: 'unavailable', block: null } },
      breaks: [],
    });
  }, 30_000);

  it('in production does not start on a node of another chain, and reads nothing of one that says so later', async () => {
    const node = await openProxy('http://127.0.0.1:9/');
    node.answer = ({ method }) => ({ result: method === 'eth_chainId' ? '0x1' : null });
    const env = { NODE_ENV: 'production', RPC_URL: node.url };
    await expect(start(env)).rejects.toThrow(
      'RPC_URL is a node of another chain: name one of base-sepolia, whose chain id is 84532',
    );
    node.handle = (_incoming, response) => {
      response.writeHead(502).end();
      return true;
    };
    const service = await start(env);
    const chain = async (): Promise<unknown> =>
      ((await service.call('/readyz', { token: null })).body as { chain: unknown }).chain;
    expect(await chain()).toBe('down');
    node.handle = () => false;
    expect(await settled(chain, 'wrong-chain')).toBe('wrong-chain');
    const { body } = await service.reconcile();
    expect(body).toMatchObject({ report: { chain: { state: 'unavailable', block: null } } });
    expect(await world.rows('select 1 from billing.chain_cursor')).toEqual([]);
    await node.close();
  }, 30_000);

  it('lets in, while the API is away, whom it saw within the hour, with the scopes of then; nobody else', async () => {
    const { token, stranger } = await seenBefore();
    const reader = await makeOperator(world, ['read']);
    const present = await start();
    expect((await present.call('/breaks', { token: reader })).status).toBe(200);
    const service = await start(apiAway);
    const status = async (as: string, body?: object): Promise<number> =>
      (await service.call(body === undefined ? '/breaks' : '/invoices', { token: as, body })).status;
    expect(await status(token)).toBe(200);
    expect(await status(reader)).toBe(200);
    expect(await status(reader, { account: 'acct_1', month: '2026-11' })).toBe(403);
    // Nobody can say whose these are: neither let in nor turned away.
    expect(await status(stranger)).toBe(503);
    expect(await status(issueToken().token)).toBe(503);
    await world.rows(`update billing.known_operator set seen_at = now() - interval '61 minutes'`);
    expect(await status(token)).toBe(503);
  }, 30_000);

  it('lets a revoked operator in for that hour at most, and not once after the API was reached again', async () => {
    const { token } = await seenBefore();
    await world.rows('update keyfare.operator set revoked_at = now()');
    const away = await start(apiAway);
    expect((await away.call('/breaks', { token })).status).toBe(200);
    const back = await start();
    expect((await back.call('/breaks', { token })).status).toBe(401);
    // Known to be nobody's now, also to the one that cannot reach the API.
    expect(await settled(async () => (await away.call('/breaks', { token })).status, 503)).toBe(503);
  }, 30_000);

  it('forgets the answers of operators that are older than a day', async () => {
    await world.rows(
      `insert into billing.idempotent_request (operator_id, key_hash, fingerprint, answer, created_at)
       values ('op_old', sha256('a'), sha256('a'), '', now() - interval '25 hours')`,
    );
    await start();
    expect(await settled(async () => (await world.rows('select 1 from billing.idempotent_request')).length, 0)).toBe(0);
  }, 30_000);

  it('goes on by itself when the log is back', async () => {
    await world.rows('alter view keyfare.entry_feed rename to away');
    await start();
    await world.log.terms('acct_1');
    const entries = async (): Promise<number> => (await world.rows('select 1 from billing.entry')).length;
    expect(await entries()).toBe(0);
    await world.rows('alter view keyfare.away rename to entry_feed');
    expect(await settled(entries, 1)).toBe(1);
  }, 30_000);

  it('is two programs without harm: each entry is booked once', async () => {
    await Promise.all([start(), start()]);
    await world.log.terms('acct_1', { includedUnits: '0' });
    for (let call = 0; call < 20; call += 1) await world.log.keyCall('acct_1');
    const charges = async (): Promise<number> => (await world.rows('select 1 from billing.charge')).length;
    expect(await settled(charges, 20)).toBe(20);
    expect(await world.rows('select sum(amount)::text as sum from billing.ledger_line where amount > 0')).toEqual([
      { sum: '5000' },
    ]);
  }, 30_000);

  it('has its calendar in the database: each night a reconciliation and drafts, by UTC', async () => {
    await start();
    expect(await world.rows('select name, cron, timezone from billing_jobs.schedule order by name')).toEqual([
      { name: 'drafts', cron: '0 3 * * *', timezone: 'UTC' },
      { name: 'reconcile', cron: '30 0 * * *', timezone: 'UTC' },
    ]);
  });

  it('answers 503 without its database, and comes back with it', async () => {
    const service = await start();
    // Connections of the program are ended, and new ones refused, as in a restart of the server.
    await world.rows(`update pg_database set datallowconn = false where datname = $1`, [world.database.name]);
    await world.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like 'keyfare-billing%'`,
      [world.database.name],
    );
    expect((await service.call('/readyz', { token: null })).status).toBe(503);
    for (const path of [
      '/breaks',
      '/invoices',
      '/reports/revenue',
      '/reports/revenue.csv',
      '/reconciliations/latest',
    ]) {
      const { status, body } = await service.call(path);
      expect([path, status, body]).toEqual([
        path,
        503,
        expect.objectContaining({ code: 'service/database-unavailable' }),
      ]);
    }
    await world.rows(`update pg_database set datallowconn = true where datname = $1`, [world.database.name]);
    expect(await settled(async () => (await service.call('/readyz', { token: null })).status, 200)).toBe(200);
    await world.log.terms('acct_1');
    expect(await settled(async () => (await world.rows('select 1 from billing.entry')).length, 1)).toBe(1);
  }, 30_000);
});

describe('the process', () => {
  it('starts from its environment, and on SIGTERM ends when the books are closed', async () => {
    const port = await choosePort();
    const child = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'] ?? '', ...world.env, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const exited = once(child, 'close');
    const up = async (): Promise<number> =>
      fetch(`http://127.0.0.1:${port}/healthz`).then(
        ({ status }) => status,
        () => 0,
      );
    expect(await settled(up, 200)).toBe(200);
    await world.log.terms('acct_1');
    expect(await settled(async () => (await world.rows('select 1 from billing.entry')).length, 1)).toBe(1);
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(output).toContain('the books are closed');
    expect(
      await world.rows(
        `select 1 from pg_stat_activity where datname = $1 and application_name like 'keyfare-billing%'`,
        [world.database.name],
      ),
    ).toEqual([]);
  }, 30_000);

  it('that is configured wrongly says everything that is wrong, and ends with 1', async () => {
    const child = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += String(chunk);
    });
    const exited = once(child, 'exit');
    expect((await exited)[0]).toBe(1);
    for (const name of ['DATABASE_URL', 'API_JWKS_URL', 'RPC_URL', 'PAY_TO']) expect(errors).toContain(name);
  }, 30_000);
});
