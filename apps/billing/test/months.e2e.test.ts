import { transferUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { goodBusiness, type Market, merchant, openMarket } from './market.js';
import { readPdf } from './read-pdf.js';
import { makeOperator, type Service, startService } from './service.js';

interface MonthBody {
  readonly month: string;
  readonly state: string;
  readonly ready: boolean;
  readonly checklist: readonly { readonly name: string; readonly ok: boolean; readonly count: number }[];
  readonly events: readonly { readonly what: string; readonly reason: string | null }[];
}

let market: Market;
let service: Service;
/** The running month, and the one after it. */
let first: string;
let second: string;

beforeEach(async () => {
  market = await openMarket();
  service = await startService(market.world, { RPC_URL: market.node.rpcUrl, RECONCILE_WAIT_SECONDS: '20' });
  const now = market.world.clock();
  first = now.toISOString().slice(0, 7);
  second = monthAfter(now).toISOString().slice(0, 7);
}, 60_000);
afterEach(async () => {
  await service.close();
  await market.close();
});

function monthAfter(at: Date, months = 1): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1));
}

async function month(name: string): Promise<MonthBody> {
  return (await service.call(`/months/${name}`)).body;
}

async function lock(name: string, token = service.token): ReturnType<Service['call']> {
  return service.call(`/months/${name}/lock`, { method: 'POST', token });
}

async function reopen(name: string, reason = 'a late invoice'): ReturnType<Service['call']> {
  return service.call(`/months/${name}/reopen`, { body: { reason } });
}

async function missing(name: string): Promise<readonly string[]> {
  return (await month(name)).checklist.filter(({ ok }) => !ok).map((item) => item.name);
}

/** As nobody may. */
async function resolveAll(): Promise<void> {
  await market.world.rows(`update billing.break set status = 'resolved', resolution = 'kept', resolved_by = 'operator',
    resolved_at = now() where status = 'open'`);
}

/** A month of a call by key and a stray transfer; then the next one is an hour old, and everything is compared. */
async function monthOfBusiness(): Promise<void> {
  const { world, node, payer } = market;
  await world.log.terms('acct_1', { includedUnits: '0', monthlyPrice: '0' });
  await world.log.keyCall('acct_1');
  await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 9n });
  await market.run();
  world.clock.set(new Date(monthAfter(world.clock()).getTime() + 3_600_000).toISOString());
  await node.mine(100);
  await market.run();
}

describe('a month', () => {
  it('is locked when its checklist has no open point: 409 names them before', async () => {
    expect(await lock(first)).toMatchObject({
      status: 409,
      body: {
        code: 'month/not-ready',
        missing: expect.arrayContaining([expect.objectContaining({ name: 'month-over', ok: false })]),
      },
    });
    await monthOfBusiness();
    await service.call('/invoices', { body: { account: 'acct_1', month: first } });
    expect(await missing(first)).toEqual(['breaks', 'invoices']);
    expect(await lock(first)).toMatchObject({
      status: 409,
      body: {
        code: 'month/not-ready',
        missing: [
          { name: 'breaks', count: 1 },
          { name: 'invoices', count: 1 },
        ],
      },
    });
    const { items } = (await service.call('/breaks?status=open')).body as { items: { id: string }[] };
    for (const { id } of items) {
      const body = { resolution: 'kept', kind: 'gift' };
      await service.call(`/breaks/${id}`, { method: 'PATCH', body, headers: { 'if-match': '*' } });
    }
    await market.world.rows(`update billing.invoice set state = 'final', number = 'F-1'`);
    expect(await month(first)).toMatchObject({ state: 'open', ready: true });
    const writer = await makeOperator(market.world, ['read', 'write']);
    expect((await lock(first, writer)).status).toBe(403);
    expect(await lock(first)).toMatchObject({ status: 200, body: { state: 'locked', events: [{ what: 'locked' }] } });
    expect(await lock(first)).toMatchObject({ status: 409, body: { code: 'month/conflict' } });
    const { body } = await service.call(`/audit?subject=${first}`);
    expect(body).toMatchObject({
      items: [{ action: 'month.lock', before: { state: 'open' }, after: { state: 'locked' } }],
    });
  });

  it('is not reconciled by a run that left out where transfers stand', async () => {
    await monthOfBusiness();
    expect(await missing(first)).not.toContain('reconciled');
    // As one does that comes while they are on their way to a wallet that was named.
    await market.world.rows(
      `insert into billing.reconciliation (id, trigger, started_at, finished_at, entries_as_of, chain_as_of, report, digest)
        select gen_random_uuid(), trigger, started_at, finished_at + interval '1 second', entries_as_of, chain_as_of,
          jsonb_set(report, '{unchecked}', '["ledger-mismatch"]'), digest
        from billing.reconciliation order by finished_at desc limit 1`,
    );
    expect(await missing(first)).toContain('reconciled');
    market.world.clock.advance(60_000);
    await market.run();
    expect(await missing(first)).not.toContain('reconciled');
  });

  it('is opened again for a reason, as the last that is locked; months are locked in their order', async () => {
    await monthOfBusiness();
    await resolveAll();
    const { world, node } = market;
    world.clock.set(new Date(monthAfter(world.clock()).getTime() + 3_600_000).toISOString());
    await node.mine(100);
    await market.run();
    await resolveAll();
    expect(await missing(second)).toEqual(['earlier-months']);
    expect((await lock(first)).status).toBe(200);
    expect((await lock(second)).status).toBe(200);
    expect(await reopen(first)).toMatchObject({ status: 409, body: { code: 'month/conflict' } });
    expect((await service.call(`/months/${second}/reopen`, { body: {} })).status).toBe(400);
    expect(await reopen(second)).toMatchObject({
      status: 200,
      body: { state: 'open', events: [{ what: 'reopened', reason: 'a late invoice' }, { what: 'locked' }] },
    });
    const list = (await service.call('/months?limit=2')).body as { items: MonthBody[]; next: string };
    expect(list.items.map(({ state }) => state)).toEqual(['open', 'open']);
    const next = await service.call(`/months?cursor=${encodeURIComponent(list.next)}`);
    expect(next.body).toMatchObject({ items: [{ month: first, state: 'locked' }], next: null });
  });

  it('is none before the first date in the books, whenever what is dated there happened', async () => {
    const { world } = market;
    await monthOfBusiness();
    await resolveAll();
    expect((await lock(first)).status).toBe(200);
    const now = world.clock();
    const from = monthAfter(now, -3);
    await world.log.keyCall('acct_1', { at: from });
    await market.run();
    const kept = await world.rows(`select kind from billing.journal where occurred_at < $1`, [monthAfter(now, -2)]);
    expect(kept).toHaveLength(1);
    expect(await missing(second)).not.toContain('earlier-months');
    const { items } = (await service.call('/months')).body as { items: MonthBody[] };
    expect(items.map((item) => item.month)).toEqual([second, first]);
  });

  it('is not locked while a match of it, or of one before, is not final', async () => {
    const { node } = market;
    await goodBusiness(market);
    market.world.clock.set(new Date(monthAfter(market.world.clock()).getTime() + 3_600_000).toISOString());
    await node.mine(100);
    await market.run();
    expect(await missing(first)).not.toContain('matches');
    await market.tamper(`update billing.match set state = 'provisional', final_at = null`);
    const { checklist } = await month(first);
    expect(checklist).toContainEqual(expect.objectContaining({ name: 'matches', ok: false, count: 3 }));
    expect(await missing(second)).toContain('matches');
  });

  it('that four ask to lock at once is locked once', async () => {
    await monthOfBusiness();
    await resolveAll();
    const answers = await Promise.all(Array.from({ length: 4 }, async () => lock(first)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
    expect((await month(first)).events).toHaveLength(1);
  });

  it('is refused where it is none', async () => {
    expect((await service.call('/months/2026-13')).body).toMatchObject({ code: 'time/malformed' });
    expect((await service.call('/months?cursor=x')).status).toBe(400);
    expect(await reopen('1999-01')).toMatchObject({ status: 409 });
    expect(await lock('9999-12')).toMatchObject({ status: 409 });
  });
});

interface ReportBody {
  readonly digest: string;
  readonly wallets: readonly {
    readonly asset: string;
    readonly closing: string;
    readonly movements: readonly object[];
  }[];
}

describe("a month's report", () => {
  it('has each wallet from opening to closing, and what is unexplained; signed, it says when the figures have changed', async () => {
    const path = `/months/${first}/report`;
    await monthOfBusiness();
    const report = (await service.call(path)).body as ReportBody;
    expect(report).toMatchObject({
      month: first,
      signedOff: null,
      wallets: [
        {
          asset: 'USDC',
          opening: '0.000000',
          movements: [{ kind: 'unidentified', count: '1', amount: '0.000009' }],
          closing: '0.000009',
          unexplained: { count: '1', amount: '0.000009' },
          carriedForward: { count: '1', amount: '0.000009' },
        },
      ],
    });
    expect((await service.call(`/months/${second}/report`)).body).toMatchObject({
      wallets: [{ opening: '0.000009', movements: [], closing: '0.000009', unexplained: { count: '0' } }],
    });
    const csv = (await service.call(`${path}.csv`)).text.split('\r\n');
    expect(csv[0]).toBe('month,network,wallet,asset,item,kind,count,debit,credit');
    expect(csv.filter((line) => line.includes(',movement,unidentified,1,0.000009,'))).toHaveLength(1);
    const sign = async (digest: string, name = first): ReturnType<Service['call']> =>
      service.call(`/months/${name}/sign-off`, { body: { digest } });
    expect(await sign('0'.repeat(64))).toMatchObject({ status: 409, body: { code: 'month/conflict' } });
    expect(await sign(report.digest, second)).toMatchObject({ status: 409 });
    expect(await sign(report.digest)).toMatchObject({
      status: 200,
      body: { digest: report.digest, signedOff: { digest: report.digest, changedSinceSigned: false } },
    });
    await resolveAll();
    expect((await service.call(path)).body).toMatchObject({
      wallets: [{ unexplained: { count: '0', amount: '0.000000' } }],
      signedOff: { digest: report.digest, changedSinceSigned: true },
    });
  });
});

describe('the close pack of a month', () => {
  const read = async (name: string) => {
    const answer = await fetch(`${service.url}/months/${name}/close-pack.pdf`, {
      headers: { authorization: `Bearer ${service.token}` },
    });
    return { answer, ...(await readPdf(new Uint8Array(await answer.arrayBuffer()))) };
  };

  it('has on one paper what is open, and after the lock who locked and signed, the balances and what was resolved', async () => {
    await monthOfBusiness();
    await service.call('/invoices', { body: { account: 'acct_1', month: first } });
    const before = await read(first);
    expect(before.answer.headers.get('content-type')).toBe('application/pdf');
    expect(before.answer.headers.get('content-disposition')).toBe(`attachment; filename="keyfare-close-${first}.pdf"`);
    for (const said of [
      `Close of ${first} OPEN: THE FIGURES MAY CHANGE`,
      'Locked no Signed off by nobody',
      'invoices NO 1 Invoices of periods that end with or in the month that are drafts',
      'Locked and reopened None.',
    ]) {
      expect(before.text).toContain(said);
    }
    expect(before.text).toMatch(
      /Open cases of the month and before .*unknown-inbound 0\.000009 USDC.* Resolved cases None\./u,
    );
    const { items } = (await service.call('/breaks?status=open')).body as { items: { id: string }[] };
    for (const { id } of items) {
      const body = { resolution: 'from a friend', kind: 'gift' };
      await service.call(`/breaks/${id}`, { method: 'PATCH', body, headers: { 'if-match': '*' } });
    }
    await market.world.rows(`update billing.invoice set state = 'final', number = 'F-1'`);
    expect((await lock(first)).status).toBe(200);
    const { digest } = (await service.call(`/months/${first}/report`)).body as { digest: string };
    expect((await service.call(`/months/${first}/sign-off`, { body: { digest } })).status).toBe(200);
    const { text, pages } = await read(first);
    expect(text).not.toContain('OPEN: THE FIGURES');
    for (const said of [
      `Close of ${first} LOCKED`,
      `Digest ${digest}`,
      'month-over yes 0 The month is over.',
      'from a friend: gift unidentified-receipts to other-income',
      'Open cases of the month and before None.',
      `Page 1 of ${pages.length}`,
    ]) {
      expect(text).toContain(said);
    }
    expect(text).toMatch(/Signed off \d{4}-\d\d-\d\d \d\d:\d\d UTC by /u);
    expect(text).toMatch(
      /Trial balance .*revenue 1 USD 0\.000000 (\S+) unbilled-receivable 1 USD \1 0\.000000 Total 2 USD \1 \1 /u,
    );
    expect(text).toMatch(
      /Earned and invoiced, USD .*unbilled-receivable 0\.000000 (\S+) 0\.000000 \1 \1 Total 0\.000000 \1 0\.000000 \1 \1 /u,
    );
    expect(text).toMatch(/Invoices Number Customer State Total, USD F-1 .* final/u);
  });

  it('says where the rest is of a part that is longer than a paper should be', async () => {
    const { world } = market;
    await world.rows(`insert into billing.break (id, class, keys, side, detail, status, first_seen, last_seen, present, history, run_id)
      select 'brk_' || n, 'unpaid-call', '{}', 'chain', 'The call of ' || n || '.', 'open', now(), now(), true, '[]',
        '00000000-0000-0000-0000-000000000000' from generate_series(1001, 1251) n`);
    const { text } = await read(first);
    expect(text).toContain('The call of 1250.');
    expect(text).not.toContain('The call of 1251.');
    expect(text).toContain('The first 250; /breaks?status=open has all of them.');
  });

  it('is refused where there is no such month, and empty for one without business', async () => {
    expect((await read('9999-12')).text).toContain('Close of 9999-12');
    expect((await service.call('/months/2026-13/close-pack.pdf')).status).toBe(400);
  });
});
