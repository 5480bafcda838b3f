import {
  type EdgeRequest,
  type EdgeRoute,
  edgeRequests,
  faultOf,
  type Plausible,
  routesOf,
  sendEdge,
} from '@keyfare/fixtures/edge-values';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;
let service: Service;
let routes: readonly EdgeRoute[];
let plausible: Plausible;

beforeAll(async () => {
  world = await openWorld();
  service = await startService(world, { RECONCILE_WAIT_SECONDS: '0', LOG_LEVEL: 'silent' });
  const { log } = world;
  for (const account of ['acct_1', 'acct_2']) await log.terms(account, { includedUnits: '0' });
  for (const account of ['acct_1', 'acct_2']) await log.keyCall(account);
  for (const amount of [250n, 251n])
    await log.unpaidCall({ payer: `0x${'a'.repeat(40)}`, payTo: `0x${'b'.repeat(40)}`, amount });
  await settled(async () => (await world.rows('select 1 from billing.entry')).length, 6);
  const month = world.clock().toISOString().slice(0, 7);
  for (const account of ['acct_1', 'acct_2']) await service.call('/invoices', { body: { account, month } });
  await world.rows(`insert into billing.break (id, class, keys, side, detail, status, history, first_seen, last_seen, present, run_id)
    select 'b-' || n, 'receipt-missing', '{}', 'receipt', 'one', 'open', '[]', now(), now(), false, gen_random_uuid()
    from generate_series(1, 3) n`);
  const { id: run } = (await service.reconcile()).body as { id: string };
  await service.reconcile({ scope: 'full' });
  routes = routesOf((await service.call('/openapi.json')).body);
  const lists = [
    '/invoices',
    '/breaks',
    '/reconciliations',
    '/audit',
    '/reports/revenue',
    '/reports/unpaid',
    '/reports/trial-balance',
  ];
  const cursors = await Promise.all(
    lists.map(async (path) => {
      const { next } = (await service.call(`${path}?limit=1`)).body as { next: string | null };
      if (next === null) throw new Error(`${path} has one page only`);
      return [`${path} cursor`, [next]] as const;
    }),
  );
  const mapping = { decimal: 'point', dateFormat: 'YYYY-MM-DD', bookedOn: 'a', amount: 'b', reference: ['c'] };
  const made = await service.call('/bank-accounts', { body: { name: 'Bank', currency: 'USD', mapping } });
  const [invoice] = await world.rows<{ id: string }>('select id from billing.invoice');
  plausible = new Map<string, readonly unknown[]>(
    Object.entries({
      id: ['b-1', invoice?.id ?? '', run],
      account: ['acct_1', 'acct_2'],
      month: [month],
      limit: ['1', '200'],
      ...Object.fromEntries(cursors),
      format: ['json', 'csv'],
      from: ['2026-11-01'],
      to: ['2026-11-30'],
      asOf: ['2026-11-30'],
      ledgerAccount: ['unbilled-receivable:acct_1'],
      program: ['quickbooks', 'xero', 'netsuite'],
      asset: ['USD', 'USDC'],
      by: ['day', 'month'],
      accounts: ['control', 'each'],
      provider: ['Weather Inc.'],
      bom: ['true', 'false'],
      separator: ['comma', 'semicolon', 'tab'],
      decimal: ['point', 'comma'],
      scope: ['recent', 'full'],
      status: ['open', 'resolved'],
      class: ['receipt-missing'],
      operator: ['op_1'],
      subject: ['b-1'],
      action: ['break.change'],
      owner: ['ann', null],
      note: ['looked into', null],
      resolution: ['accepted', null],
      'if-match': ['*'],
      severity: ['high', 'low'],
      kind: ['no-posting', 'correction'],
      correction: [{ debit: 'unidentified-receipts', credit: 'refunds-due', amount: '0.01' }],
      dueOn: ['2026-12-24', null],
      text: ['asked the customer'],
      digest: ['0'.repeat(64)],
      reason: ['a late invoice'],
      bankAccount: [(made.body as { id: string }).id],
      content: [Buffer.from('a,b,c\n2026-11-01,1.00,x\n').toString('base64'), 'YSxiLGMKMSwyLDM='],
      preview: ['true'],
      mapping: [mapping],
      currency: ['USD', 'EUR'],
      state: ['open', 'out'],
      changes: [[{ id: 'b-1', ifMatch: '*', owner: 'ann' }], [{ id: 'b-2', ifMatch: '"x"', resolution: null }]],
    }),
  );
}, 60_000);
afterAll(async () => {
  await service.close();
  await world.close();
});

// `npm run soak` sends more of it.
const times = process.env['KEYFARE_SOAK'] === '1' ? 2 : 1;

describe('whatever is sent to a route that the API document lists, as an operator', () => {
  it('is answered without a fault of ours, and the service answers a good request afterwards', async () => {
    expect(routes.length).toBeGreaterThanOrEqual(20);
    const authorization = { authorization: `Bearer ${service.token}` };
    const seen = new Map<number, number>();
    for (const route of routes) {
      await fc.assert(
        fc.asyncProperty(edgeRequests(route, plausible), async (request: EdgeRequest) => {
          const answer = await sendEdge(service.url, request, authorization);
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
          expect(faultOf(answer)).toBeNull();
        }),
        { numRuns: 40 * times, endOnFailure: true },
      );
      const good = await service.call('/breaks?limit=1');
      expect([route.path, good.status]).toEqual([route.path, 200]);
    }
    // The odd part is seen by what is behind the edge too, and refused for many a reason.
    for (const status of [200, 400, 404, 413, 415])
      expect([status, (seen.get(status) ?? 0) > 0]).toEqual([status, true]);
    expect((await service.reconcile()).status).toBe(200);
  }, 480_000);
});
