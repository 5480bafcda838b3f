import type { LocalChain } from '@keyfare/devstack/chain';
import type { TestPayer } from '@keyfare/devstack/payers';
import { mintUsdc, transferUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { sha256 } from './log-documents.js';
import { goodBusiness, type Market, merchant, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import type { World } from './world.js';

let market: Market;
let world: World;
let node: LocalChain;
let payer: TestPayer;

beforeEach(async () => {
  market = await openMarket();
  ({ world, node, payer } = market);
}, 60_000);
afterEach(async () => market.close());

describe('each class of break is found, by its name', () => {
  it('entries that are not what they say: receipt-invalid, receipt-missing, digest-mismatch, usage-mismatch, terms-missing', async () => {
    const { log } = world;
    await goodBusiness(market);
    await log.keyCall('acct_1', {}, (written) => {
      const jws = written.jws ?? '';
      const forged = `${jws.slice(0, -4)}${jws.endsWith('AAAA') ? 'BAAA' : 'AAAA'}`;
      Object.assign(written, { jws: forged, digest: sha256(forged) });
    });
    await log.keyCall('acct_1', {}, (written) => {
      written.jws = null;
    });
    await log.keyCall('acct_1', {}, (written) => {
      written.digest = sha256('another');
    });
    await log.keyCall('acct_1', {}, (written) => {
      written.usage = written.usage && { ...written.usage, units: 9 };
    });
    await log.keyCall('acct_3');
    const { report } = await market.run();
    expect(await market.openBreaks()).toEqual([
      'digest-mismatch',
      'receipt-invalid',
      'receipt-missing',
      'terms-missing',
      'usage-mismatch',
    ]);
    expect(report.entries).toMatchObject({ good: 14, bad: 5 });
  });

  it('a stored copy that is no longer what the log holds: digest-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(`update billing.entry set jws = jws || 'x' where place = 1`);
    await market.run();
    expect(await market.openBreaks()).toEqual(['digest-mismatch']);
  });

  it('a counter of the API that is not what the entries come to: meter-mismatch', async () => {
    await goodBusiness(market);
    await world.log.keyCall('acct_1', { units: 3, metered: false });
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
    expect(await world.rows('select keys, detail from billing.break')).toEqual([
      {
        keys: { account: 'acct_1', month: world.clock().toISOString().slice(0, 7) },
        detail: 'The API counts 3 units fewer than the entries come to.',
      },
    ]);
  });

  it('a counter for which there is no entry at all: meter-mismatch', async () => {
    await goodBusiness(market);
    await world.rows(
      `insert into keyfare.allowance (account_id, period_start, used) values ('acct_9', '2026-10-01Z', 4)`,
    );
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
  });

  it('no counter that lags behind the entries by what its open leases have used, and one that lags by more: meter-mismatch', async () => {
    const { log } = world;
    await log.terms('acct_1');
    await log.lease('acct_1', { granted: 10, limit: 100 });
    await log.keyCall('acct_1', { units: 10, metered: false });
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    await log.keyCall('acct_1', { units: 1, metered: false });
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
    // Without a limit a lease bounds nothing, while it is open.
    await world.rows('update keyfare.allowance set limit_units = null');
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    await world.rows('delete from keyfare.lease');
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
    expect(await world.rows(`select detail from billing.break where status = 'open'`)).toEqual([
      { detail: 'The API counts 11 units fewer than the entries come to.' },
    ]);
  });

  it('a counter of more units than its entries come to, leases or not: meter-mismatch', async () => {
    await world.log.terms('acct_1');
    await world.log.lease('acct_1', { granted: 10 });
    await world.log.keyCall('acct_1');
    await world.rows('update keyfare.allowance set used = used + 1');
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
  });

  it('terms in force that the newest entry does not tell of: terms-mismatch', async () => {
    await goodBusiness(market);
    await world.log.terms('acct_1', { slug: 'pro' });
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    for (const change of [
      `plan_id = 'plan_starter'`,
      'revision = 1',
      'revision = 9',
      `effective_at = effective_at + interval '5 seconds'`,
      `ends_at = effective_at + interval '1 day'`,
    ]) {
      await world.rows(`create table keyfare.kept as select * from keyfare.account`);
      await world.rows(`update keyfare.account set ${change} where id = 'acct_1'`);
      await market.run();
      expect([change, await market.openBreaks()]).toEqual([change, ['terms-mismatch']]);
      await world.rows(`update keyfare.account a set plan_id = k.plan_id, revision = k.revision,
        effective_at = k.effective_at, ends_at = k.ends_at from keyfare.kept k where k.id = a.id`);
      await world.rows('drop table keyfare.kept');
      await market.run();
      expect(await market.openBreaks()).toEqual([]);
    }
  });

  it('terms that the log tells of out of their order: terms-mismatch', async () => {
    const { log, clock } = world;
    const now = Math.floor(clock().getTime() / 1_000);
    await log.terms('acct_1', { revision: 4 });
    await log.terms('acct_1', { revision: 3, slug: 'pro' });
    await log.terms('acct_2', { revision: 1 });
    await log.terms('acct_2', { revision: 2, effectiveAt: now - 60 });
    await market.run();
    const found = await world.rows<{ account: string }>(
      `select distinct keys ->> 'account' as account from billing.break where class = 'terms-mismatch' order by 1`,
    );
    expect(found).toEqual([{ account: 'acct_1' }, { account: 'acct_2' }]);
  });

  it('usage, charge and posting that were moved to another product together: ledger-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(
      `update billing.entry set usage_sku = 'distances' where usage_sku = 'forecast'`,
      `update billing.charge set sku = 'distances' where sku = 'forecast'`,
      `update billing.payment set sku = 'distances' where sku = 'forecast'`,
      `insert into billing.ledger_account values ('revenue:x402:distances', 'USDC', 'income') on conflict do nothing`,
      `update billing.movement set debit = replace(debit, ':forecast', ':distances'),
        credit = replace(credit, ':forecast', ':distances')`,
    );
    await market.run();
    const breaks = await market.openBreaks();
    expect(breaks.length).toBeGreaterThanOrEqual(7);
    expect(breaks.every((text) => text.startsWith('ledger-mismatch'))).toBe(true);
  });

  it('usage that is dated months before its receipt was signed: usage-mismatch, and it is not charged', async () => {
    const { log, clock } = world;
    await log.terms('acct_1', { includedUnits: '0', effectiveAt: 1 });
    const old = new Date(clock().getTime() - 78 * 86_400_000);
    await log.keyCall('acct_1', { metered: false }, (written) => {
      written.usage = written.usage && { ...written.usage, occurredAt: old };
    });
    await market.run();
    expect((await market.openBreaks()).filter((name) => name !== 'meter-mismatch')).toEqual(['usage-mismatch']);
    expect(await world.rows('select 1 from billing.charge')).toEqual([]);
  });

  it('an entry that came to nothing, without charge, price or journal: entry-unposted', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(
      `delete from billing.charge where entry_id = (select entry_id from billing.charge where amount = 0 limit 1)`,
      `delete from billing.movement where journal_id = (select id from billing.journal where kind = 'call' limit 1)`,
      `delete from billing.journal j where not exists (select 1 from billing.movement p where p.journal_id = j.id)`,
      `delete from billing.payment where outcome = 'unpaid'`,
    );
    await market.run();
    expect((await market.openBreaks()).map((text) => text.split(':')[0])).toEqual([
      'entry-unposted',
      'entry-unposted',
      'entry-unposted',
    ]);
  });

  it('a posting or a charge that no entry explains: posting-without-entry', async () => {
    await goodBusiness(market);
    await market.run();
    const id = '00000000-0000-8000-8000-000000000009';
    await world.sql.transaction(async (tx) => {
      await tx.query({
        text: `with written as (
            insert into billing.journal (id, kind, source, occurred_at, effective_at, movements, digest)
            values ($1, 'call', 'call:${id}', now(), now(), 1, '\\x00') returning id, effective_at)
          insert into billing.movement
          select id, 0, 'x402-receivable:eip155:84532', 'revenue:x402:forecast', 'USDC', 50, effective_at from written`,
        values: [id],
      });
      await tx.query({
        text: `insert into billing.charge select $1, rail, account, payer, sku, units, included, overage, unit_price, asset, 0,
            terms_id, period_start, occurred_at, 1 from billing.charge where rail = 'x402' limit 1`,
        values: ['00000000-0000-8000-8000-00000000000a'],
      });
    });
    await market.run();
    expect(await market.openBreaks()).toEqual(['posting-without-entry: 0', 'posting-without-entry: 50']);
  });

  it('journals and charges with other amounts than they should have: ledger-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(
      `update billing.movement set amount = amount * 2 where journal_id =
        (select id from billing.journal where kind = 'settlement' order by id limit 1)`,
      `update billing.charge set overage = overage - 1, included = included + 1, amount = amount - unit_price
        where entry_id = (select entry_id from billing.charge where rail = 'key' and overage > 0 order by place limit 1)`,
    );
    await market.run();
    const classes = (await market.openBreaks()).map((text) => text.split(':')[0]);
    expect(new Set(classes)).toEqual(new Set(['ledger-mismatch']));
    expect(classes.length).toBeGreaterThanOrEqual(2);
  });

  it('balances that are not what the movements come to, and a date between: ledger-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await world.sql.transaction(async (tx) => {
      await tx.query({ text: 'set local session_replication_role = replica' });
      await tx.query({
        text: `update billing.balance set debits = debits + 7 where account = 'revenue:x402:forecast'`,
      });
      await tx.query({
        text: `update billing.balance_day set credits = credits + 9 where account like 'usdc:%'
          and day = (select max(day) from billing.balance_day where account like 'usdc:%')`,
      });
      await tx.query({
        text: `update billing.journal set effective_at = occurred_at - interval '1 millisecond'
          where id = (select id from billing.journal where kind = 'call' order by id limit 1)`,
      });
    });
    await market.run();
    expect(
      await world.rows(`select class, split_part(keys->>'account', ':', 1) as account, amount::text as amount
      from billing.break where status = 'open' order by amount`),
    ).toEqual([
      { class: 'ledger-mismatch', account: 'revenue', amount: '7' },
      { class: 'ledger-mismatch', account: 'usdc', amount: '9' },
      { class: 'ledger-mismatch', account: null, amount: null },
    ]);
  });

  it('a charge by terms that were not in force: ledger-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(`update billing.charge set terms_id = (
        select id from billing.terms where account = 'acct_2') where account = 'acct_1' and rail = 'key'
          and amount > 0`);
    await market.run();
    const breaks = await market.openBreaks();
    expect(breaks.length).toBeGreaterThan(0);
    expect(breaks.every((text) => text.startsWith('ledger-mismatch'))).toBe(true);
  });

  it('terms, a payment or units that are not what was signed: ledger-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(
      `update billing.terms set overage_price = overage_price - 1 where account = 'acct_1'`,
      `update billing.payment set nonce = '0x' || repeat('0', 64) where outcome = 'unpaid'`,
      `update billing.entry set usage_units = 1 where id = (select id from billing.entry where usage_units = 2 order by place limit 1)`,
    );
    await market.run();
    const found = await world.rows<{ kind: string }>(
      `select keys ->> 'kind' as kind from billing.break where class = 'ledger-mismatch' and keys ? 'kind' order by 1`,
    );
    expect(found.map(({ kind }) => kind)).toEqual(['call', 'terms', 'unpaid']);
  });

  it('an entry that says settled where the chain has nothing: recorded-not-settled', async () => {
    await goodBusiness(market);
    const longAgo = new Date(world.clock().getTime() - 120_000);
    const entry = await world.log.paidCall({ payer: payer.address, payTo, amount: 4_200n, at: longAgo });
    await node.mine(1);
    const { report } = await market.run();
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 4200']);
    expect(await world.rows('select asset, side, keys from billing.break')).toMatchObject([
      { asset: 'USDC', side: 'receipt', keys: { entry, payer: payer.address.toLowerCase() } },
    ]);
    expect(report.payments).toContainEqual({
      status: 'recorded-not-settled',
      count: 1,
      recorded: '0.004200',
      settled: '0.000000',
    });
  });

  it('a payment to a wallet that is not read here: recorded-not-settled, at once', async () => {
    await world.log.paidCall({ payer: payer.address, payTo: payer.address });
    await market.run();
    expect(await market.openBreaks()).toEqual(['recorded-not-settled: 1000']);
  });

  it('money that came by an authorization that no entry records: settled-not-recorded', async () => {
    await goodBusiness(market);
    const [lost] = await settle(node, [{ payer, payTo, amount: 3_300n }]);
    world.clock.advance(120_000);
    await market.run();
    expect(await market.openBreaks()).toEqual(['settled-not-recorded: 3300']);
    if (lost !== undefined) await world.log.paidCall(lost);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    expect(await world.rows('select status, resolution, resolved_by from billing.break')).toEqual([
      { status: 'resolved', resolution: 'gone: a reconciliation no longer finds it', resolved_by: 'system' },
    ]);
  });

  it('money that came though the entry says that the payment failed: settled-not-recorded, and says so', async () => {
    const [payment] = await settle(node, [{ payer, payTo, amount: 3_300n }]);
    if (payment !== undefined) await world.log.unpaidCall(payment);
    world.clock.advance(120_000);
    await market.run();
    expect(await market.openBreaks()).toEqual(['settled-not-recorded: 3300']);
    expect(await world.rows('select detail from billing.break')).toEqual([
      { detail: 'The money came in; the entry says that the payment failed.' },
    ]);
  });

  it('another amount than the entry says: amount-mismatch', async () => {
    const [less, more] = await settle(node, [
      { payer, payTo, amount: 900n },
      { payer, payTo, amount: 1_200n },
    ]);
    if (less === undefined || more === undefined) throw new Error('no payments');
    await world.log.paidCall({ ...less, amount: 1_000n });
    await world.log.paidCall({ ...more, amount: 1_000n });
    await market.run();
    expect(await market.openBreaks()).toEqual(['amount-mismatch: 100', 'amount-mismatch: 200']);
    expect(await world.rows('select side from billing.break order by amount')).toEqual([
      { side: 'receipt' },
      { side: 'chain' },
    ]);
  });

  it('two entries for one payment: duplicate-settlement', async () => {
    const [payment] = await settle(node, [{ payer, payTo, amount: 900n }]);
    if (payment === undefined) throw new Error('no payment');
    await world.log.paidCall(payment);
    await world.log.paidCall(payment);
    await market.run();
    expect(await market.openBreaks()).toEqual(['duplicate-settlement: 900']);
  });

  it('two transfers by one authorization, as only a broken token has them: duplicate-settlement', async () => {
    const [payment] = await settle(node, [{ payer, payTo, amount: 900n }]);
    if (payment === undefined) throw new Error('no payment');
    await world.log.paidCall(payment);
    await market.run();
    await market.tamper(`insert into billing.chain_transfer select gen_random_uuid(), watch, network, asset, pay_to, from_address, to_address,
      value, authorizer, nonce, block_number, block_hash, block_time, transaction, log_index + 1, sender, seen_at, null, null
      from billing.chain_transfer`);
    // Written past the books, it is nothing that they know to be open.
    await market.run('full');
    expect(await market.openBreaks()).toContain('duplicate-settlement: 900');
  });

  it('money that came by no authorization: unknown-inbound, without any grace', async () => {
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 123_456n });
    await mintUsdc(node.rpcUrl, merchant.address, 5n);
    await market.run();
    expect(await market.openBreaks()).toEqual(['unknown-inbound: 5', 'unknown-inbound: 123456']);
  });

  it('nothing that a stranger sends to the wallet is no break: a transfer of zero', async () => {
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 0n });
    await market.run();
    expect(await world.rows('select value from billing.chain_transfer')).toEqual([{ value: '0' }]);
    expect(await market.openBreaks()).toEqual([]);
  });

  it('a wallet that holds another amount than its transfers explain: balance-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(`delete from billing.chain_transfer where value = 2500`);
    await market.run();
    const breaks = await market.openBreaks();
    expect(breaks).toContain('balance-mismatch: 2500');
  });
});
