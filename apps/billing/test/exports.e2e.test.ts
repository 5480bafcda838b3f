import { spawnSync } from 'node:child_process';
import { monthOf } from '@keyfare/core/time';
import type { LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { hledgerAccount } from '../src/export/hledger.js';
import { revenue, unbilledReceivable } from '../src/ledger/chart.js';
import { journalOf } from '../src/ledger/journal.js';
import { LedgerService } from '../src/ledger/ledger.service.js';
import { settle } from './payments.js';
import { type Service, settled, startService } from './service.js';
import { openBooks, openWorld, type World } from './world.js';

const hasTool = spawnSync('hledger', ['--version'], { stdio: 'ignore' }).status === 0;
// Where the tool is required, a machine without it fails.
const isWanted = hasTool || process.env['KEYFARE_HLEDGER'] === 'required';
const payTo = testPayer(81).address.toLowerCase();
let node: LocalChain;
let world: World;
let service: Service;
let month: string;
let wallet: string;

type Rows = readonly Record<string, string | null>[];

async function rows(path: string): Promise<Rows> {
  const { status, body } = await service.call(path);
  expect([path, status]).toEqual([path, 200]);
  return (body as { items: Rows }).items;
}

async function text(path: string): Promise<string> {
  const headers = { authorization: `Bearer ${service.token}` };
  const answer = await fetch(`${service.url}${path}`, { headers });
  expect([path, answer.status]).toEqual([path, 200]);
  // `text()` would take the byte order mark away.
  return Buffer.from(await answer.arrayBuffer()).toString();
}

beforeAll(async () => {
  [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: payTo })]);
  const payer = await fundedPayer(node, 1);
  wallet = payer.address.toLowerCase();
  await fundEth(node.rpcUrl, payer.address);
  month = world.clock().toISOString().slice(0, 7);
  // On the first day of a month, what is dated there below would be of the same day as the calls.
  if (world.clock().getUTCDate() === 1) world.clock.advance(24 * 3_600_000);
  service = await startService(world, { RPC_URL: node.rpcUrl });
  const { log } = world;
  const effectiveAt = monthOf(world.clock()).start.getTime() / 1_000;
  await log.terms('acct_1', { effectiveAt, includedUnits: '3', accountName: '=Acme, "Inc."' });
  await log.terms('acct_2', {
    includedUnits: '100',
    overagePrice: '3333',
    monthlyPrice: '900',
    slug: 'small',
  });
  for (let call = 0; call < 5; call += 1) await log.keyCall('acct_1');
  for (const payment of await settle(node, [{ payer, payTo, amount: 1_000n }])) await log.paidCall(payment);
  await settled(async () => (await world.rows(`select 1 from billing.chain_transfer`)).length, 1);
  await settled(async () => (await world.rows(`select 1 from billing.entry`)).length, 8);
  await service.call('/invoices', { body: { account: 'acct_1', month } });
}, 60_000);
afterAll(async () => {
  await service.close();
  await Promise.all([world.close(), node.kill()]);
});

describe('the general ledger', () => {
  it('begins with the opening balance, has the balance after each movement, and ends with the closing one, page by page', async () => {
    const path = `/reports/general-ledger?ledgerAccount=unbilled-receivable:acct_1&month=${month}`;
    const all = await rows(path);
    expect(all.map(({ row, balance }) => [row, balance])).toEqual([
      ['opening', '0.000000'],
      ['movement', '0.000250'],
      ['movement', '0.000500'],
      ['closing', '0.000500'],
    ]);
    const pages: Record<string, string | null>[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const { body } = await service.call(`${path}&limit=1${next === '' ? '' : `&cursor=${next}`}`);
      const page = body as { items: Rows; next: string | null };
      pages.push(...page.items);
      next = page.next;
    }
    expect(pages).toEqual(all);
    expect(await rows('/reports/general-ledger?ledgerAccount=nothing')).toEqual([]);
    const later = await rows(`/reports/general-ledger?ledgerAccount=unbilled-receivable:acct_1&month=2199-01`);
    expect(later.map(({ row, balance }) => [row, balance])).toEqual([
      ['opening', '0.000500'],
      ['closing', '0.000500'],
    ]);
  });
});

describe('the trial balance', () => {
  it('is that of the end of the month or day that was asked for', async () => {
    const sumOf = async (query: string): Promise<string | null | undefined> =>
      (await rows(`/reports/trial-balance${query}`)).find(({ account }) => account === 'unbilled-receivable:acct_1')?.[
        'debit'
      ];
    // An account without a balance has no line.
    expect(await sumOf('?month=2020-01')).toBeUndefined();
    expect(await sumOf('?asOf=2020-01-31')).toBeUndefined();
    expect(await sumOf(`?month=${month}`)).toBe('0.000500');
    expect(await sumOf(`?asOf=${world.clock().toISOString().slice(0, 10)}`)).toBe('0.000500');
    expect(await sumOf('')).toBe('0.000500');
  });
});

describe('a question with a parameter that is wrong', () => {
  it.each([
    '/reports/trial-balance?month=2020-01&asOf=2020-01-31',
    '/reports/trial-balance?asOf=2020-02-30',
    '/reports/journal?from=2026-11-02&to=2026-11-01',
    '/reports/journal?from=2026-11-02',
    '/reports/journal?month=2026-11&from=2026-11-02&to=2026-11-03',
    '/reports/journal?order=up',
    '/reports/general-ledger',
    '/reports/revenue.csv?separator=pipe',
    '/reports/callers?asset=USD',
    '/exports/hledger?from=x&to=y',
    '/exports/journals',
    '/exports/journals?program=sage',
    '/exports/journals?program=xero&asset=BTC',
    '/exports/focus?account=acct_1',
    '/exports/focus?account=acct_1&provider=x&month=2026-13',
  ])('is refused: %s', async (path) => {
    expect((await service.call(path)).status).toBe(400);
  });
});

(isWanted ? describe : describe.skip)('the export for hledger', () => {
  it('balances in the real program, with the totals of the trial balance', async () => {
    const balance = await rows('/reports/trial-balance?limit=200');
    const expected = balance
      .map(({ account, type, asset, debit, credit }) => {
        const amount = credit === '0.000000' ? debit : `-${credit ?? ''}`;
        return `${hledgerAccount({ account: account ?? '', type: type as 'asset' })} ${asset ?? ''} ${amount ?? ''}`;
      })
      .filter((line) => !line.endsWith(' 0.000000'));
    const day = world.clock().toISOString().slice(0, 10);
    // Of all days, and of one month whose books begin with the balances of the one before.
    for (const query of [`?from=1970-01-01&to=${day}`, '?month=2199-01']) {
      const input = await text(`/exports/hledger${query}`);
      const args = ['-f', '-', 'balance', '--flat', '--no-total', '--layout=bare', '-O', 'csv'];
      const told = spawnSync('hledger', args, { input, encoding: 'utf8', env: { ...process.env, LANG: 'C.UTF-8' } });
      expect([told.status, told.stderr]).toEqual([0, '']);
      const lines = told.stdout.trim().split('\n').slice(1);
      expect(lines.map((line) => line.replaceAll('"', '').replaceAll(',', ' ')).toSorted()).toEqual(
        expected.toSorted(),
      );
    }
    expect(expected.length).toBeGreaterThan(3);
  });
});

describe('the exports', () => {
  it('are journals in the columns of each program', async () => {
    for (const [program, header] of [
      ['quickbooks', 'JournalNo,JournalDate,AccountName,Debits,Credits,Description,Name'],
      ['xero', '*Narration,*Date,Description,*AccountCode,*TaxRate,*Amount'],
      ['netsuite', 'External ID,Date,Currency,Memo,Account,Debit,Credit'],
    ]) {
      const [first, ...lines] = (await text(`/exports/journals?program=${program}&asset=USDC&accounts=each`)).split(
        '\r\n',
      );
      expect(first).toBe(header);
      expect(lines).toEqual(['']);
    }
    const occurredAt = new Date(`${month}-01T00:00:00Z`);
    const made = { kind: 'call', source: 'made:1', occurredAt, amount: 25_000n } as const;
    const [debit, credit] = [unbilledReceivable('acct_1'), revenue('key', 'forecast', 'USD')];
    const books = openBooks(world);
    await books.sql.transaction((tx) => new LedgerService().post(tx, [journalOf({ ...made, debit, credit })]));
    await books.close();
    const xero = await text('/exports/journals?program=xero&by=day');
    // 2.5 cents are 2, and with the 0.05 cents of the calls they are 3.
    expect(xero.split('\r\n').slice(1)).toEqual([
      expect.stringMatching(/^KF-\d{6}01-USD,01\/\d\d\/\d{4},"Keyfare, USD, [-\d]+",revenue,Tax Exempt,-0\.02$/),
      expect.stringMatching(/,unbilled-receivable,Tax Exempt,0\.02$/),
      expect.stringMatching(/,revenue,Tax Exempt,-0\.01$/),
      expect.stringMatching(/,unbilled-receivable,Tax Exempt,0\.01$/),
      '',
    ]);
  });

  it('are the usage of one account in the columns of FOCUS, and add up to its invoice', async () => {
    const csv = await text(`/exports/focus?account=acct_1&provider=${encodeURIComponent('Weather, Inc.')}`);
    const [header, ...lines] = csv.trim().split('\r\n');
    expect(header?.split(',').slice(0, 3)).toEqual(['BilledCost', 'BillingAccountId', 'BillingAccountName']);
    const { body } = await service.call(`/invoices?account=acct_1&month=${month}`);
    const total = (body as { items: { total: string }[] }).items[0]?.total ?? '';
    const sum = lines.reduce((all, line) => all + BigInt(line.slice(0, line.indexOf(',')).replace('.', '')), 0n);
    expect(sum).toBe(BigInt(total.replace('.', '')));
    expect(lines.map((line) => /,(Usage|Purchase),/.exec(line)?.[1])).toEqual(['Purchase', 'Usage', 'Usage']);
    expect((await text('/exports/focus?account=nobody&provider=x')).split('\r\n')).toHaveLength(2);
  });

  it('come for Excel with a mark, semicolons and decimal commas', async () => {
    const csv = await text('/reports/callers.csv?bom=true&separator=semicolon&decimal=comma');
    expect(csv).toContain(`wallet;${wallet};1;1;USDC;0,001000;small;0,000900;0,000100\r\n`);
    expect(csv.startsWith('\ufeffsegment;caller;')).toBe(true);
  });
});

describe('a report in parts', () => {
  const forged = (...parts: readonly string[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');

  it.each(['revenue', 'daily-revenue', 'callers', 'settlements', 'journal', 'invoices', 'trial-balance'])(
    'of one row each has the rows of %s as a whole, and none twice',
    async (name) => {
      const whole = await service.call(`/reports/${name}?month=${month}&limit=200`);
      const parts: unknown[] = [];
      for (let cursor = ''; ; ) {
        const { body } = await service.call(`/reports/${name}?month=${month}&limit=1${cursor}`);
        const { items, next } = body as { items: unknown[]; next: string | null };
        parts.push(...items);
        if (next === null) break;
        cursor = `&cursor=${next}`;
      }
      const { items } = whole.body as { items: unknown[] };
      expect(items.length).toBeGreaterThan(0);
      expect(parts).toEqual(items);
    },
  );

  it('goes on behind a row that is none of it', async () => {
    const callers = forged(`callers-${month}`, 'zebra', 'acct_1', 'USD');
    expect((await service.call(`/reports/callers?month=${month}&cursor=${callers}`)).body).toMatchObject({ items: [] });
    const late = forged(`settlements-${month}`, '9'.repeat(18), 'a', 'b', 'c', 'd');
    expect((await service.call(`/reports/settlements?month=${month}&cursor=${late}`)).body).toMatchObject({
      items: [],
    });
    const lines = forged(`general-ledger-${month}-01`, '1', '9'.repeat(18), 'none', 'x');
    const path = `/reports/general-ledger?ledgerAccount=unbilled-receivable:acct_1&month=${month}`;
    const last = (await rows(path)).at(-1);
    expect((await service.call(`${path}&cursor=${lines}`)).body).toMatchObject({ items: [last], next: null });
  });
});

describe('the callers', () => {
  it('are told by segment, each wallet with the plan that would have cost it less', async () => {
    expect(await rows('/reports/callers')).toMatchObject([
      { segment: 'account', caller: 'acct_1', spent: '0.000500', cheaperPlan: null, saving: null },
      {
        segment: 'wallet',
        caller: wallet,
        spent: '0.001000',
        cheaperPlan: 'small',
        planCost: '0.000900',
        saving: '0.000100',
      },
    ]);
  });

  it('and one account by day and product, and its month on each plan', async () => {
    expect(await rows('/reports/usage?account=acct_1')).toEqual([
      {
        day: world.clock().toISOString().slice(0, 10),
        rail: 'key',
        product: 'forecast',
        calls: '5',
        units: '5',
        included: '3',
        overage: '2',
        asset: 'USD',
        amount: '0.000500',
      },
    ]);
    expect(await rows('/reports/usage?account=acct_1&from=2020-01-01&to=2020-01-31')).toEqual([]);
    expect(await rows('/reports/plan-comparison?account=acct_1')).toEqual([
      {
        plan: 'starter',
        version: '1',
        standing: 'current',
        units: '5',
        included: '3',
        beyond: '2',
        beyondIs: 'invoiced',
        monthlyPrice: '10.000000',
        overagePrice: '0.000250',
        overage: '0.000500',
        total: '10.000500',
        difference: '0.000000',
      },
      expect.objectContaining({
        plan: 'small',
        standing: 'newest',
        beyond: '0',
        overage: '0.000000',
        total: '0.000900',
        difference: '-9.999600',
      }),
    ]);
    const csv = await text(`/reports/plan-comparison.csv?account=acct_1&month=${month}`);
    expect(csv.split('\r\n')[2]).toContain(',0.000900,-9.999600');
    expect((await service.call('/reports/plan-comparison')).status).toBe(400);
  });

  it('and revenue by day, the register of invoices and the journal are listed', async () => {
    expect(await rows('/reports/daily-revenue')).toMatchObject([
      { rail: 'key', customer: 'acct_1', calls: '5', amount: '0.000500' },
      { rail: 'x402', customer: wallet, calls: '1', amount: '0.001000' },
    ]);
    expect(await rows('/reports/invoices')).toMatchObject([{ account: 'acct_1', state: 'draft', total: '10.000500' }]);
    const journal = await rows('/reports/journal');
    expect(journal.length).toBeGreaterThanOrEqual(6);
    expect(journal[0]).toMatchObject({ debit: expect.any(String), credit: expect.any(String) });
  });
});
