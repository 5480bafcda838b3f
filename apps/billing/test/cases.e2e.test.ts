import { transferUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import type { Hex } from 'viem';
import { randomNonce, usdc } from './log-documents.js';
import { type Market, merchant, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import { makeOperator, type Service, startService } from './service.js';

interface BreakBody {
  readonly id: string;
  readonly class: string;
  readonly amount: string | null;
  readonly status: string;
  readonly proposal: object | null;
  readonly posting: { readonly source: string } | null;
  readonly history: readonly object[];
}

let market: Market;
let service: Service;

beforeEach(async () => {
  market = await openMarket();
  service = await startService(market.world, { RPC_URL: market.node.rpcUrl, RECONCILE_WAIT_SECONDS: '20' });
}, 60_000);
afterEach(async () => {
  await service.close();
  await market.close();
});

async function stray(value: bigint): Promise<string> {
  return transferUsdc(market.node.rpcUrl, { privateKey: market.payer.privateKey, to: merchant.address, value });
}

async function openCases(): Promise<readonly BreakBody[]> {
  await market.run();
  return ((await service.call('/breaks?status=open')).body as { items: BreakBody[] }).items;
}

async function tagOf(id: string): Promise<string> {
  return (await service.call(`/breaks/${id}`)).headers.get('etag') ?? '';
}

type Call = Awaited<ReturnType<Service['call']>>;

async function change(id: string, body: object, token = service.token): Promise<Call> {
  return service.call(`/breaks/${id}`, { method: 'PATCH', body, token, headers: { 'if-match': await tagOf(id) } });
}

async function decide(id: string, verdict: 'approve' | 'reject', token: string): Promise<Call> {
  return service.call(`/breaks/${id}/${verdict}`, { method: 'POST', token, headers: { 'if-match': await tagOf(id) } });
}

/** The ledger account's balance as the trial balance of the running month says it, debits positive. */
async function balanceOf(account: string): Promise<string> {
  const [row] = await market.world.rows<{ sum: string }>(
    'select coalesce(sum(amount), 0)::text as sum from billing.ledger_line where account = $1',
    [account],
  );
  return row?.sum ?? '0';
}

async function whatHappened(id: string): Promise<unknown[]> {
  const { items } = (await service.call(`/breaks/${id}/events`)).body as {
    items: { what: string; operator: object | null }[];
  };
  return items.map(({ what, operator }) => (operator === null ? `${what} by a run` : what));
}

async function onlyOpen(): Promise<BreakBody> {
  const open = await openCases();
  expect(open).toHaveLength(1);
  return open[0] as BreakBody;
}

describe('a resolution', () => {
  it('of a stray transfer as a gift posts it to other income; opened again it is reversed; no run objects to either', async () => {
    await stray(500n);
    const { id } = await onlyOpen();
    expect(await balanceOf('unidentified-receipts')).toBe('-500');
    const preview = async (body: object): Promise<unknown[]> => {
      const answer = await service.call(`/breaks/${id}/preview`, { body });
      return [answer.status, answer.body];
    };
    expect(await preview({ kind: 'gift' })).toEqual([
      200,
      {
        posting: { asset: 'USDC', amount: '0.000500', debit: 'unidentified-receipts', credit: 'other-income' },
        needsSecond: false,
      },
    ]);
    expect(await preview({ kind: 'no-posting' })).toEqual([200, { posting: null, needsSecond: false }]);
    expect(await preview({ kind: 'write-off' })).toMatchObject([409, { code: 'break/not-possible' }]);
    expect(await preview({ kind: 'correction' })).toMatchObject([400, { code: 'request/invalid' }]);
    expect([await balanceOf('other-income'), (await service.call(`/breaks/${id}`)).body]).toMatchObject([
      '0',
      { status: 'open', proposal: null },
    ]);
    const resolved = await change(id, { resolution: 'a gift of the first customer', kind: 'gift' });
    expect(resolved).toMatchObject({
      status: 200,
      body: {
        status: 'resolved',
        posting: { kind: 'gift', amount: '0.000500', debit: 'unidentified-receipts', credit: 'other-income' },
        proposal: null,
      },
    });
    expect([await balanceOf('unidentified-receipts'), await balanceOf('other-income')]).toEqual(['0', '-500']);
    expect(await openCases()).toEqual([]);
    expect((await change(id, { resolution: null })).body).toMatchObject({ status: 'open', posting: null });
    expect([await balanceOf('unidentified-receipts'), await balanceOf('other-income')]).toEqual(['-500', '0']);
    expect((await openCases()).map(({ class: name }) => name)).toEqual(['unknown-inbound']);
    await change(id, { resolution: 'owed back', kind: 'refund-due' });
    expect([await balanceOf('other-income'), await balanceOf('refunds-due')]).toEqual(['0', '-500']);
    expect(await whatHappened(id)).toEqual(['resolved', 'reopened', 'resolved']);
    expect(await openCases()).toEqual([]);
  });

  it('that is sent twice is there once: one line of history, one journal; another one is refused', async () => {
    await stray(500n);
    const { id } = await onlyOpen();
    const gift = { resolution: 'a gift', kind: 'gift' };
    const [first, again] = [await change(id, gift), await change(id, gift)];
    expect(again.body).toEqual(first.body);
    expect((again.body as BreakBody).history).toEqual([]);
    expect(await whatHappened(id)).toEqual(['resolved']);
    expect(await change(id, { resolution: 'no, a mistake' })).toMatchObject({
      status: 409,
      body: { code: 'break/conflict' },
    });
    expect(await market.world.rows(`select 1 from billing.journal where kind = 'resolution'`)).toHaveLength(1);
  });

  it('sent four times at once posts once', async () => {
    await stray(500n);
    const { id } = await onlyOpen();
    const tag = await tagOf(id);
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () =>
        service.call(`/breaks/${id}`, {
          method: 'PATCH',
          body: { resolution: 'a gift', kind: 'gift' },
          headers: { 'if-match': tag },
        }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 412]));
    expect(await balanceOf('other-income')).toBe('-500');
  });

  it('that wrote a payment off is undone by itself when the money comes in after all', async () => {
    const { world, node, payer } = market;
    const nonce = randomNonce() as Hex;
    const expected = { payer: payer.address.toLowerCase(), payTo, amount: 800n, nonce, asset: usdc };
    const at = new Date(world.clock().getTime() - 120_000);
    await world.log.paidCall({ ...expected, at, transaction: randomNonce() });
    await node.mine(1);
    const missing = (await openCases()).find(({ class: name }) => name === 'recorded-not-settled');
    if (missing === undefined) throw new Error('nothing is missing');
    const written = await change(missing.id, { resolution: 'lost', kind: 'write-off' });
    expect(written).toMatchObject({ status: 200, body: { posting: { debit: 'uncollected' } } });
    expect([await balanceOf('uncollected'), await balanceOf('x402-receivable:eip155:84532')]).toEqual(['800', '0']);
    await settle(node, [{ payer, payTo, amount: 800n, nonce }]);
    expect(await openCases()).toEqual([]);
    expect([await balanceOf('uncollected'), await balanceOf('x402-receivable:eip155:84532')]).toEqual(['0', '0']);
    expect(await whatHappened(missing.id)).toEqual(['resolved', 'undone by a run']);
  });

  it('of each kind of payment brings what was expected to nothing, and no run objects', async () => {
    const { world, node, payer } = market;
    const settled = await settle(
      node,
      [900n, 1_200n, 700n, 500n, 3_300n].map((amount) => ({ payer, payTo, amount })),
    );
    const [less, more, twice, owed, failed] = settled;
    if (!less || !more || !twice || !owed || !failed) throw new Error('too few payments');
    await world.log.paidCall({ ...less, amount: 1_000n });
    await world.log.paidCall({ ...more, amount: 1_000n });
    await world.log.paidCall(twice);
    await world.log.paidCall(twice);
    await world.log.refundDue(owed);
    await world.log.unpaidCall(failed);
    await market.run();
    world.clock.advance(120_000);
    await node.mine(1);
    const open = await openCases();
    const idOf = (name: string, amount: string): string =>
      open.find((one) => one.class === name && one.amount === amount)?.id ?? '';
    const surplus = idOf('amount-mismatch', '0.000200');
    const lack = idOf('amount-mismatch', '0.000100');
    const resolve = async (id: string, kind: string): Promise<number> =>
      (await change(id, { resolution: 'as the rule says', kind })).status;
    expect([await resolve(lack, 'gift'), await resolve(surplus, 'write-off')]).toEqual([409, 409]);
    const done = [
      await resolve(lack, 'write-off'),
      await resolve(surplus, 'gift'),
      await resolve(idOf('duplicate-settlement', '0.000700'), 'duplicate'),
      await resolve(idOf('refund-due', '0.000500'), 'other-wallet'),
      await resolve(idOf('settled-not-recorded', '0.003300'), 'refund-due'),
    ];
    expect(done).toEqual([200, 200, 200, 200, 200]);
    const accounts = [
      'x402-receivable:eip155:84532',
      'unidentified-receipts',
      'uncollected',
      'other-income',
      'revenue:x402:forecast',
      'refunds-due',
      'treasury-out',
    ];
    expect(await Promise.all(accounts.map(balanceOf))).toEqual(['0', '0', '100', '-200', '-2700', '-3300', '-500']);
    expect(await openCases()).toEqual([]);
  });

  it('whose row somebody else has changed is found by the next run: ledger-mismatch', async () => {
    await stray(500n);
    const { id } = await onlyOpen();
    await change(id, { resolution: 'kept', kind: 'gift' });
    await market.world.rows(`update billing.break_resolution set amount = 499`);
    expect(await openCases()).toMatchObject([{ class: 'ledger-mismatch', amount: '0.000001' }]);
    await market.tamper('delete from billing.break_resolution');
    expect(await openCases()).toMatchObject([{ class: 'posting-without-entry', amount: '0.000500' }]);
  });

  it('is refused where the class has no such kind, and where a correction names no ledger accounts of one asset', async () => {
    await stray(500n);
    const { id } = await onlyOpen();
    const refused: readonly [object, number, string][] = [
      [{ resolution: 'x', kind: 'write-off' }, 409, 'break/not-possible'],
      [{ resolution: 'x', kind: 'correction' }, 400, 'request/invalid'],
      [{ kind: 'gift' }, 400, 'request/invalid'],
      [{ resolution: null, kind: 'gift' }, 400, 'request/invalid'],
      ...(
        [
          ['unidentified-receipts', 'unidentified-receipts', '1', 409, 'break/not-possible'],
          ['unidentified-receipts', 'nothing', '1', 409, 'break/not-possible'],
          ['unidentified-receipts', 'refunds-due', '0', 400, 'request/invalid'],
          ['unidentified-receipts', 'refunds-due', '-1', 400, 'money/malformed'],
        ] as const
      ).map(([debit, credit, amount, status, code]): [object, number, string] => [
        { resolution: 'x', kind: 'correction', correction: { debit, credit, amount } },
        status,
        code,
      ]),
    ];
    for (const [body, status, code] of refused) {
      const answer = await change(id, body);
      expect([body, answer.status, (answer.body as { code: string }).code]).toEqual([body, status, code]);
    }
    expect(await market.world.rows('select 1 from billing.break_resolution')).toEqual([]);
    const wallet = `usdc:eip155:84532:${payTo}`;
    const correction = { debit: 'unidentified-receipts', credit: wallet, amount: '0.0002' };
    expect(await change(id, { resolution: 'by hand', kind: 'correction', correction })).toMatchObject({
      status: 200,
      body: { posting: { kind: 'correction', amount: '0.000200' } },
    });
    expect(await balanceOf('unidentified-receipts')).toBe('-300');
  });
});

describe('a resolution that posts more than FOUR_EYES_ABOVE', () => {
  it('waits for a second operator: not its own, not one without `money`; then it is posted once', async () => {
    const { world } = market;
    await service.close();
    service = await startService(world, { RPC_URL: market.node.rpcUrl, FOUR_EYES_ABOVE: '0.0004' });
    const [second, writer] = await Promise.all([makeOperator(world), makeOperator(world, ['read', 'write'])]);
    await stray(400n);
    const small = await onlyOpen();
    expect((await change(small.id, { resolution: 'kept', kind: 'gift' })).body).toMatchObject({ status: 'resolved' });
    await stray(401n);
    const { id } = await onlyOpen();
    const proposed = await change(id, { resolution: 'kept', kind: 'gift' });
    expect(proposed.body).toMatchObject({ status: 'open', posting: null, proposal: { amount: '0.000401' } });
    expect(await balanceOf('other-income')).toBe('-400');
    expect(await change(id, { resolution: 'kept', kind: 'refund-due' }, second)).toMatchObject({ status: 409 });
    expect(await decide(id, 'approve', service.token)).toMatchObject({ status: 409, body: { code: 'break/conflict' } });
    expect(await decide(id, 'approve', writer)).toMatchObject({ status: 403 });
    expect((await openCases()).map((one) => one.id)).toEqual([id]);
    const answers = await Promise.all([decide(id, 'approve', second), decide(id, 'approve', second)]);
    // The other is late by the version that it names, or by one that it read after it was decided.
    expect([409, 412]).toContain(Math.max(...answers.map(({ status }) => status)));
    expect(Math.min(...answers.map(({ status }) => status))).toBe(200);
    expect(await balanceOf('other-income')).toBe('-801');
    expect(await whatHappened(id)).toEqual(['proposed', 'resolved']);
    expect(await openCases()).toEqual([]);
    await change(id, { resolution: null });
    await change(id, { resolution: 'owed', kind: 'refund-due' });
    expect(await decide(id, 'reject', second)).toMatchObject({ status: 200, body: { status: 'open', proposal: null } });
    // Without a posting there is nothing to see twice.
    expect((await change(id, { resolution: 'known' })).body).toMatchObject({ status: 'resolved' });
    expect(await balanceOf('other-income')).toBe('-400');
  });
});

describe('a case', () => {
  it('has a severity, a due day, comments and evidence, and its age counts from when the thing happened', async () => {
    await stray(500n);
    const { id } = await onlyOpen();
    await market.world.rows(`update billing.break set happened_at = first_seen - interval '3 days' where id = $1`, [
      id,
    ]);
    expect((await change(id, { dueOn: '2026-12-24', owner: 'ann' })).body).toMatchObject({
      severity: 'low',
      dueOn: '2026-12-24',
      ageDays: 3,
      possibleKinds: ['no-posting', 'gift', 'refund-due', 'other-wallet', 'correction'],
    });
    expect((await change(id, { dueOn: '2026-02-30' })).status).toBe(400);
    for (const text of ['asked the customer', 'it was theirs']) {
      expect((await service.call(`/breaks/${id}/comments`, { body: { text } })).status).toBe(200);
    }
    const first = (await service.call(`/breaks/${id}/comments?limit=1`)).body as { items: object[]; next: string };
    expect(first.items).toMatchObject([{ text: 'asked the customer', operator: { id: expect.any(String) } }]);
    const next = await service.call(`/breaks/${id}/comments?cursor=${encodeURIComponent(first.next)}`);
    expect(next.body).toMatchObject({ items: [{ text: 'it was theirs' }], next: null });
    const { items } = (await service.call(`/breaks/${id}/evidence`)).body as { items: { kind: string }[] };
    expect(items.map(({ kind }) => kind)).toEqual(['transaction', 'wallet']);
    const lists: readonly [string, number][] = [
      ['owner=ann', 1],
      ['owner=bob', 0],
      ['severity=low', 1],
      ['severity=high', 0],
      ['severity=low&class=unknown-inbound', 1],
      ['severity=high&class=unknown-inbound', 0],
    ];
    for (const [query, count] of lists) {
      const { body } = await service.call(`/breaks?${query}`);
      expect([query, (body as { items: object[] }).items.length]).toEqual([query, count]);
    }
  });

  it('is changed with others at once, each by its own version: all of them or none, a line of the audit log for each', async () => {
    for (const value of [501n, 502n, 503n]) await stray(value);
    const open = await openCases();
    const changes = await Promise.all(
      open.map(async ({ id }) => ({ id, ifMatch: await tagOf(id), resolution: 'kept', kind: 'gift' })),
    );
    const [first, second] = changes;
    if (first === undefined || second === undefined) throw new Error('too few');
    const stale = [first, { ...second, ifMatch: '"old"' }];
    const refused = await service.call('/breaks/bulk', { body: { changes: stale } });
    expect(refused).toMatchObject({ status: 412, body: { detail: expect.stringContaining(second.id) } });
    expect(await service.call('/breaks/bulk', { body: { changes: [first, first] } })).toMatchObject({ status: 400 });
    expect(await balanceOf('other-income')).toBe('0');
    const done = await service.call('/breaks/bulk', { body: { changes } });
    expect(done.status).toBe(200);
    expect(await balanceOf('other-income')).toBe('-1506');
    for (const { id } of open) {
      const { body } = await service.call(`/audit?subject=${id}`);
      expect(body).toMatchObject({ items: [{ action: 'break.change', before: { status: 'open' } }] });
    }
    expect(await openCases()).toEqual([]);
  });
});
