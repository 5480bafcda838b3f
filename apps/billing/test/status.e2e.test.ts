import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { nextRun, queues } from '../src/runtime/queues.js';
import { makeOperator, type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

let node: Server;
let world: World;
let service: Service;

beforeAll(async () => {
  // A node that takes questions and never answers.
  node = createServer(() => undefined);
  await new Promise<void>((resolve) => void node.listen(0, '127.0.0.1', resolve));
  world = await openWorld();
  service = await startService(world, {
    RPC_URL: `http://127.0.0.1:${(node.address() as AddressInfo).port}`,
    RPC_TIMEOUT_MS: '4000',
    RECONCILE_WAIT_SECONDS: '0',
  });
}, 60_000);
afterAll(async () => {
  node.closeAllConnections();
  node.close();
  await service.close();
  await world.close();
});

type Body = Record<string, Record<string, unknown>>;

async function status(): Promise<Body> {
  return (await service.call('/status')).body;
}

describe('the status', () => {
  it('is told in time while the node never answers: that part is unavailable, and no other', async () => {
    await world.log.terms('acct_1');
    await world.log.keyCall('acct_1');
    expect(await settled(async () => (await world.rows('select 1 from billing.entry')).length, 2)).toBe(2);
    await service.reconcile();
    const answer = await service.call('/status');
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      process: { version: expect.stringMatching(/^\d+\.\d+\.\d+/), uptimeSeconds: expect.any(Number) },
      log: { state: 'available', place: '2', delayMs: expect.any(Number), stalledSince: null },
      feed: { state: 'available', head: '2', unread: '0' },
      node: { state: 'unavailable' },
      chain: { state: 'available', wallets: [], standstills: [] },
      receiptKeys: { state: 'available', keys: [{ id: world.log.signer.kid }] },
      reconciliation: {
        state: 'available',
        last: { trigger: 'manual', ageSeconds: 0 },
        underWay: null,
        openBreaks: { high: 0 },
      },
      jobs: { state: 'available', queues: [{ name: 'reconcile', failed: 0 }, { name: 'drafts' }] },
    });
    const { loops } = answer.body as { loops: { name: string; failures: number }[] };
    expect(loops.map(({ name }) => name)).toEqual(['intake', 'chain', 'reconcile']);
  });

  it('tells of the log, and of the feed that it is away, while the API has no database', async () => {
    await world.rows('alter table keyfare.sequencer rename to hidden');
    await world.rows('drop view keyfare.log_head');
    expect(await status()).toMatchObject({ log: { state: 'available' }, feed: { state: 'unavailable' } });
    await world.rows('alter table keyfare.hidden rename to sequencer');
  });
});

describe('a job of the calendar', () => {
  it('is run out of turn by an operator who may write, with a line in the audit log', async () => {
    const reader = await makeOperator(world, ['read']);
    expect((await service.call('/jobs/drafts/run', { method: 'POST', token: reader })).status).toBe(403);
    expect((await service.call('/jobs/nothing/run', { method: 'POST' })).status).toBe(404);
    // The scheduler looks every ten seconds: what it takes in between would make room for a second one.
    await world.rows(`create function hold() returns trigger language plpgsql as 'begin return null; end'`);
    await world.rows('create trigger hold before update on billing_jobs.job for each row execute function hold()');
    // It may be that the one of the start still waits: then that one it is.
    const asked = await service.call('/jobs/reconcile/run', { method: 'POST' });
    expect(asked).toMatchObject({ status: 202, body: { name: 'reconcile', queued: true } });
    expect((await service.call('/jobs/reconcile/run', { method: 'POST' })).body).toMatchObject({ queued: false });
    expect((await service.call('/audit?action=job.run')).body).toMatchObject({
      items: [{ subject: 'reconcile' }, { subject: 'reconcile' }],
    });
    const rows = await world.rows(`select 1 from billing_jobs.job where name = 'reconcile'`);
    expect(rows).toHaveLength(1);
    await world.rows('drop function hold cascade');
  });

  it('is due next at its hour, today or tomorrow', () => {
    expect(nextRun(queues.reconcile, new Date('2026-11-28T00:29:59Z')).toISOString()).toBe('2026-11-28T00:30:00.000Z');
    expect(nextRun(queues.drafts, new Date('2026-11-30T03:00:00Z')).toISOString()).toBe('2026-12-01T03:00:00.000Z');
  });
});
