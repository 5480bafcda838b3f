import { monthOf } from '@keyfare/core/time';
import type { LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, transferUsdc } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { settle } from './payments.js';
import { expectMetrics, type Service, settled, startService } from './service.js';
import { openWorld, type World } from './world.js';

const merchant = testPayer(80);
const payTo = merchant.address.toLowerCase();
let node: LocalChain;
let payer: TestPayer;
let world: World;
let service: Service;
let month: string;

beforeAll(async () => {
  [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: payTo })]);
  payer = await fundedPayer(node, 1);
  await fundEth(node.rpcUrl, payer.address);
  month = world.clock().toISOString().slice(0, 7);
  service = await startService(world, { RPC_URL: node.rpcUrl });
  const { log } = world;
  // The account is as old as the month, so that its plan costs a whole month.
  const effectiveAt = monthOf(world.clock()).start.getTime() / 1_000;
  await log.terms('acct_1', { effectiveAt, includedUnits: '3', accountName: '=Acme, "Inc."' });
  await log.terms('acct_2', { includedUnits: '0', overagePrice: '3333', monthlyPrice: '0' });
  for (let call = 0; call < 5; call += 1) await log.keyCall('acct_1');
  await log.keyCall('acct_2', { sku: 'distances', units: 2 });
  for (const payment of await settle(node, [{ payer, payTo, amount: 1_000n }])) await log.paidCall(payment);
  await log.unpaidCall({ payer: payer.address, payTo, amount: 250n, reason: 'payment/failed' });
}, 60_000);
afterAll(async () => {
  await service.close();
  await Promise.all([world.close(), node.kill()]);
});

describe('the loops', () => {
  it('bring log and chain into the books by themselves', async () => {
    const count = async (table: string): Promise<number> =>
      (await world.rows<{ n: number }>(`select count(*)::int as n from billing.${table}`))[0]?.n ?? 0;
    expect(await settled(async () => count('entry'), 10)).toBe(10);
    expect(await settled(async () => count('chain_transfer'), 1)).toBe(1);
  });
});

describe('operators', () => {
  it('alone get in: every route but those of the watch wants the token', async () => {
    const { body } = await service.call('/openapi.json');
    const paths = Object.entries((body as { paths: Record<string, Record<string, unknown>> }).paths);
    const routes = paths.flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
    );
    expect(routes.length).toBeGreaterThanOrEqual(15);
    // Where they come in, nobody has a token.
    const guarded = routes.filter(({ path, method }) => !/^POST (?:\/me)?\/session$/.test(`${method} ${path}`));
    expect(guarded).toHaveLength(routes.length - 2);
    for (const { path, method } of guarded) {
      for (const token of [null, 'x'.repeat(32)]) {
        const answer = await service.call(path.replace(/\{\w+\}/, 'x'), { method, token });
        const { code } = answer.body as { code: string };
        expect(`${method} ${path} ${String(answer.status)} ${code}`).toMatch(
          path.startsWith('/me')
            ? /401 credential\/required$/
            : /(401 operator\/unauthorized|429 operator\/throttled)$/,
        );
      }
    }
    // Many wrong tokens came from this address; a right one is let in all the same.
    expect((await service.call('/reports/revenue')).status).toBe(200);
  });

  it('are told what is wrong with a question, as a problem with a page', async () => {
    const headers = { 'if-match': '*' };
    const cases: [string, Parameters<Service['call']>[1], number, string][] = [
      ['/invoices', { body: { account: 'acct_1', month: '2026-13' } }, 400, 'time/malformed'],
      ['/invoices', { body: { account: 'acct_1' } }, 400, 'request/invalid'],
      ['/invoices', { body: { account: 'acct_9', month } }, 404, 'account/not-found'],
      ['/invoices', { body: { account: 'acct_1', month: '2020-01' } }, 404, 'invoice/not-found'],
      ['/invoices', { body: { account: 'acct_1', month: '2199-01' } }, 400, 'request/invalid'],
      ['/invoices/nothing', {}, 404, 'invoice/not-found'],
      ['/breaks/nothing', {}, 404, 'break/not-found'],
      ['/breaks/nothing', { method: 'PATCH', body: { owner: 'ann' }, headers }, 404, 'break/not-found'],
      ['/invoices/00000000-0000-8000-8000-000000000000', {}, 404, 'invoice/not-found'],
      ['/breaks/nothing', { method: 'PATCH', body: {} }, 400, 'request/invalid'],
      ['/breaks?status=odd', {}, 400, 'request/invalid'],
      ['/reports/revenue?month=now', {}, 400, 'time/malformed'],
      ['/reports/revenue?limit=0', {}, 400, 'request/invalid'],
      ['/reports/revenue?limit=201', {}, 400, 'request/invalid'],
      ['/reports/revenue?offset=1', {}, 400, 'request/invalid'],
      ['/reports/reconciliation?month=2026-11', {}, 400, 'request/invalid'],
      ['/reconciliations/latest?fresh=1', {}, 400, 'request/invalid'],
      ['/invoices?cursor=x', {}, 400, 'request/invalid'],
      ['/breaks?offset=1', {}, 400, 'request/invalid'],
      ['/audit?who=ann', {}, 400, 'request/invalid'],
      ['/reconciliations', { body: { full: true } }, 400, 'request/invalid'],
      ['/reports/nothing', {}, 404, 'request/not-found'],
      ['/invoices', { method: 'DELETE' }, 405, 'request/method-not-allowed'],
    ];
    for (const [path, init, status, code] of cases) {
      const answer = await service.call(path, init);
      expect([path, answer.status, (answer.body as { code: string }).code]).toEqual([path, status, code]);
      const page = await service.call((answer.body as { type: string }).type, { token: null });
      expect(page.status).toBe(200);
    }
  });

  it('cannot smuggle SQL in by any parameter', async () => {
    const evil = `x' or 1=1; drop table billing.charge; --`;
    const encoded = encodeURIComponent(evil);
    for (const path of [`/breaks/${encoded}`, `/invoices/${encoded}`, `/invoices?account=${encoded}`]) {
      expect([path, (await service.call(path)).status]).toEqual([path, 400]);
    }
    expect((await service.call('/invoices', { body: { account: evil, month } })).status).toBe(400);
    const quiet = evil.replaceAll(' ', '/**/');
    expect((await service.call(`/breaks/${encodeURIComponent(quiet)}`)).status).toBe(404);
    expect((await service.call('/invoices', { body: { account: quiet, month } })).status).toBe(404);
    expect((await service.call(`/audit?subject=${encodeURIComponent(quiet)}`)).body).toEqual({ items: [], next: null });
    expect((await service.call(`/reports/revenue?month=${encoded}`)).status).toBe(400);
    expect(await world.rows('select count(*)::int as n from billing.charge')).toEqual([{ n: 7 }]);
  });
});

describe('an invoice', () => {
  it('is drafted, and drafted again as the same', async () => {
    const first = await service.call('/invoices', { body: { account: 'acct_1', month } });
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      state: 'draft',
      number: null,
      accountName: '=Acme, "Inc."',
      month,
      total: '10.000500',
      payable: '10.00',
      receipts: '5',
      lines: [
        { kind: 'included', quantity: '3', unitPrice: '0.000000', amount: '0.000000' },
        { kind: 'overage', sku: 'forecast', quantity: '2', unitPrice: '0.000250', amount: '0.000500' },
        { kind: 'plan', quantity: '1', amount: '10.000000' },
      ],
    });
    world.clock.advance(1_000);
    const again = await service.call('/invoices', { body: { account: 'acct_1', month } });
    expect(again.body).toEqual(first.body);
    const { id } = first.body as { id: string };
    expect((await service.call(`/invoices/${id}`)).body).toEqual(first.body);
  });

  it('names the first and the last entry that it covers, and follows the month while it runs', async () => {
    const draft = async (): Promise<Record<string, unknown>> =>
      (await service.call('/invoices', { body: { account: 'acct_2', month } })).body;
    const before = await draft();
    expect(before).toMatchObject({ total: '0.006666', payable: '0.01', receipts: '1' });
    expect(before['firstEntry']).toBe(before['lastEntry']);
    const last = await world.log.keyCall('acct_2', { sku: 'distances' });
    await service.reconcile();
    const after = await draft();
    expect(after).toMatchObject({
      id: before['id'],
      total: '0.009999',
      receipts: '2',
      firstEntry: before['firstEntry'],
      lastEntry: last,
    });
    expect(after['digest']).not.toBe(before['digest']);
  });

  it('is listed by account and month', async () => {
    const list = async (query: string): Promise<readonly { account: string }[]> =>
      ((await service.call(`/invoices${query}`)).body as { items: { account: string }[] }).items;
    expect((await list('')).map(({ account }) => account)).toEqual(['acct_1', 'acct_2']);
    expect(await list('?account=acct_2')).toHaveLength(1);
    expect(await list('?month=2020-01')).toEqual([]);
  });

  it('that is no draft any more is not drafted again, and its lines cannot change', async () => {
    await world.rows(`update billing.invoice set state = 'final', number = '2026-0001' where account = 'acct_2'`);
    await world.log.keyCall('acct_2');
    await service.reconcile();
    const { body } = await service.call('/invoices', { body: { account: 'acct_2', month } });
    expect(body).toMatchObject({ state: 'final', number: '2026-0001', total: '0.009999', receipts: '2' });
    await expect(world.rows('delete from billing.invoice_line')).rejects.toMatchObject({ code: 'KF002' });
  });
});

interface RunBody {
  readonly id: string;
  readonly digest: string;
  readonly breaks: readonly { readonly id: string; readonly class: string; readonly amount: string }[];
  readonly report: { readonly entries: { complete: boolean }; readonly chain: { state: string } };
}

describe('a reconciliation', () => {
  it('is run, answered and kept', async () => {
    const { status, body } = await service.reconcile();
    const run = body as RunBody;
    expect(status).toBe(200);
    expect(run.breaks).toEqual([]);
    expect(run.report).toMatchObject({
      entries: { complete: true, bad: 0 },
      chain: { state: 'current', balance: '0.001000' },
    });
    expect(body).toMatchObject({ state: 'done', scope: 'recent', failure: null });
    const { body: latest } = await service.call('/reconciliations/latest');
    expect(run).toMatchObject(latest);
    expect((await service.call('/reports/reconciliation')).body).toEqual(latest);
  });

  it('names a stray transfer; an operator takes it on, resolves it, and it stays resolved', async () => {
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 123_456n });
    const { breaks } = (await service.reconcile()).body as RunBody;
    expect(breaks).toMatchObject([
      { class: 'unknown-inbound', asset: 'USDC', amount: '0.123456', side: 'chain', status: 'open', ageDays: 0 },
    ]);
    const path = `/breaks/${breaks[0]?.id ?? ''}`;
    const change = async (body: object): Promise<{ readonly body: Record<string, unknown> }> => {
      const tag = (await service.call(path)).headers.get('etag') ?? '';
      return service.call(path, { method: 'PATCH', body, headers: { 'if-match': tag } });
    };
    const owned = await change({ owner: 'ann' });
    expect(owned.body).toMatchObject({ owner: 'ann', status: 'open', resolution: null });
    const resolved = await change({ resolution: 'accepted', note: 'top-up' });
    expect(resolved.body).toMatchObject({
      owner: 'ann',
      status: 'resolved',
      resolution: 'accepted',
      resolvedBy: 'operator',
      note: 'top-up',
    });
    expect(((await service.reconcile()).body as RunBody).breaks).toEqual([]);
    expect((await service.call('/breaks?status=open')).body).toEqual({ items: [], next: null });
    expect((await service.call('/breaks?status=resolved')).body).toMatchObject({ items: [{ id: breaks[0]?.id }] });
    const reopened = await change({ resolution: null });
    expect(reopened.body).toMatchObject({
      status: 'open',
      resolution: null,
      resolvedAt: null,
      note: 'top-up',
      history: [{ why: 'an operator opened it', amount: '0.123456', resolution: 'accepted', resolvedBy: 'operator' }],
    });
  });

  it('lists a thousand open breaks, and says when there are more', async () => {
    const latest = async (): Promise<{ breaks: unknown[]; truncated: boolean }> =>
      (await service.call('/reports/reconciliation')).body;
    expect(await latest()).toMatchObject({ truncated: false });
    await world.rows(`insert into billing.break (id, class, keys, side, detail, status, history, first_seen, last_seen, present, run_id)
      select 'many-' || n, 'receipt-missing', '{}', 'receipt', 'one of many', 'open', '[]', now(), now(), false, gen_random_uuid()
      from generate_series(1, 1000) n`);
    const { breaks, truncated } = await latest();
    expect([breaks.length, truncated]).toEqual([1_000, true]);
    await world.rows(`delete from billing.break where id like 'many-%'`);
  });
});

describe('the reports', () => {
  const rows = async (path: string): Promise<readonly Record<string, unknown>[]> =>
    ((await service.call(path)).body as { items: Record<string, unknown>[] }).items;

  it('tell revenue by rail, product and customer', async () => {
    expect(await rows(`/reports/revenue?month=${month}`)).toEqual([
      {
        month,
        rail: 'key',
        product: 'distances',
        customer: 'acct_2',
        customerName: 'Acme, Inc.',
        calls: '2',
        units: '3',
        included: '0',
        overage: '3',
        asset: 'USD',
        amount: '0.009999',
      },
      {
        month,
        rail: 'key',
        product: 'forecast',
        customer: 'acct_1',
        customerName: '=Acme, "Inc."',
        calls: '5',
        units: '5',
        included: '3',
        overage: '2',
        asset: 'USD',
        amount: '0.000500',
      },
      expect.objectContaining({ product: 'forecast', customer: 'acct_2' }),
      {
        month,
        rail: 'x402',
        product: 'forecast',
        customer: payer.address.toLowerCase(),
        customerName: null,
        calls: '1',
        units: '1',
        included: '0',
        overage: '0',
        asset: 'USDC',
        amount: '0.001000',
      },
    ]);
    expect(await rows('/reports/revenue?month=2020-01')).toEqual([]);
    expect(await rows(`/reports/revenue?month=${month}&limit=2`)).toHaveLength(2);
  });

  it('give a trial balance whose two sides are equal', async () => {
    const balance = await rows('/reports/trial-balance');
    const sum = (side: string, asset: string): bigint =>
      balance
        .filter((row) => row['asset'] === asset)
        .reduce((total, row) => total + BigInt(String(row[side]).replace('.', '')), 0n);
    for (const asset of ['USD', 'USDC']) {
      expect(sum('debit', asset)).toBe(sum('credit', asset));
      expect(sum('debit', asset)).toBeGreaterThan(0n);
    }
  });

  it('show each payment with its transaction, block and finality, and the calls that were given away', async () => {
    expect(await rows(`/reports/settlements?month=${month}`)).toMatchObject([
      {
        status: 'matched',
        payer: payer.address.toLowerCase(),
        recorded: '0.001000',
        settled: '0.001000',
        transaction: expect.stringMatching(/^0x/),
        finality: expect.stringMatching(/final|provisional/),
      },
    ]);
    expect(await rows(`/reports/unpaid?month=${month}`)).toMatchObject([
      { amount: '0.000250', reason: 'payment/failed' },
    ]);
  });

  it('list the money that came in for calls that were not served', async () => {
    expect(await rows(`/reports/refunds?month=${month}`)).toEqual([]);
    const entry = await world.log.refundDue({ payer: payer.address, payTo, amount: 440n });
    const listed = async (): Promise<number> => (await rows(`/reports/refunds?month=${month}`)).length;
    expect(await settled(listed, 1)).toBe(1);
    expect(await rows(`/reports/refunds?month=${month}`)).toMatchObject([
      { state: 'owed', entry, amount: '0.000440', payer: payer.address.toLowerCase(), reason: 'handler/failed' },
    ]);
  });

  it('are CSV by their name or by their format, with the edge taken off what a customer is called', async () => {
    for (const path of [`/reports/revenue.csv?month=${month}`, `/reports/revenue?month=${month}&format=csv`]) {
      const { status, headers, text } = await service.call(path);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
      expect(headers.get('content-disposition')).toBe(`attachment; filename="keyfare-revenue-${month}.csv"`);
      const lines = text.split('\r\n');
      expect(lines[0]).toBe('month,rail,product,customer,customerName,calls,units,included,overage,asset,amount');
      expect(lines[2]).toBe(`${month},key,forecast,acct_1,"'=Acme, ""Inc.""",5,5,3,2,USD,0.000500`);
      expect(lines).toHaveLength(6);
    }
    for (const name of ['reconciliation', 'trial-balance', 'settlements', 'unpaid', 'refunds']) {
      const { status, text } = await service.call(`/reports/${name}.csv`);
      expect(status).toBe(200);
      expect(text.split('\r\n').length).toBeGreaterThan(2);
      // No cell begins like a formula; amounts are never negative.
      expect(
        text
          .split('\r\n')
          .flatMap((line) => line.split(','))
          .filter((cell) => /^"?[=+\-@\t]/.test(cell)),
      ).toEqual([]);
    }
  });

  it('of any length go out in pieces, whole', async () => {
    await world.rows(`insert into billing.payment (entry_id, outcome, network, asset, payer, nonce, pay_to, amount, sku, resource_url,
        reason, issued_at, place)
      select gen_random_uuid(), 'unpaid', 'n', 'a', 'p', n::text, 't', n, 'sku', 'http://api.test/', 'why', '2025-02-01Z', n
      from generate_series(1, 5000) n`);
    const { text } = await service.call('/reports/unpaid.csv?month=2025-02');
    expect(text.split('\r\n')).toHaveLength(5_002);
    expect(text.endsWith('\r\n')).toBe(true);
  });
});

describe('the watch', () => {
  it('is told of the parts, the figures and the breaks, without a token', async () => {
    expect(await service.call('/healthz', { token: null })).toMatchObject({ status: 200, body: { status: 'ok' } });
    const ready = await service.call('/readyz', { token: null });
    expect(ready).toMatchObject({ status: 200, body: { status: 'ready', database: 'up', feed: 'up', chain: 'up' } });
    await expectMetrics(service, [
      /^keyfare_billing_entries_ingested_total\{outcome="good"\} \d+$/m,
      /^keyfare_billing_open_breaks\{class="unknown-inbound"\} 1$/m,
      /^keyfare_billing_chain_head_block \d+$/m,
      /^keyfare_billing_chain_lag_blocks 0$/m,
      /^keyfare_billing_intake_lag_seconds \d/m,
    ]);
  });
});
