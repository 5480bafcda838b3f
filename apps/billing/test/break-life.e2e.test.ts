import { DatabaseUnavailable } from '@keyfare/db/sql';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import type { TestPayer } from '@keyfare/devstack/payers';
import { transferUsdc } from '@keyfare/devstack/usdc';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { usdc } from './log-documents.js';
import { goodBusiness, type Market, merchant, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import type { World } from './world.js';

/** Each token that is watched has a cursor. */
const ofUsdc = `asset = '${usdc}'`;

let market: Market;
let world: World;
let node: LocalChain;
let payer: TestPayer;

beforeEach(async () => {
  market = await openMarket();
  ({ world, node, payer } = market);
}, 60_000);
afterEach(async () => market.close());

/** As its operator does. */
async function resolve(resolution: string): Promise<void> {
  await world.rows(
    `update billing.break set status = 'resolved', resolution = $1, resolved_by = 'operator', resolved_at = now()
      where status = 'open'`,
    [resolution],
  );
}

describe('the life of a break', () => {
  const state = async (): Promise<unknown> =>
    (await world.rows('select status, resolution, resolved_by, note, owner, present from billing.break'))[0];

  it('stays resolved by its operator while the difference stays, and is open again when it had gone and comes back', async () => {
    const [payment] = await settle(node, [{ payer, payTo, amount: 800n }]);
    if (payment === undefined) throw new Error('no payment');
    await world.log.paidCall(payment);
    const stray = await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 9n });
    await market.run();
    await resolve('accepted');
    await world.rows(`update billing.break set note = 'a gift', owner = 'ann'`);
    await market.run();
    expect(await state()).toMatchObject({
      status: 'resolved',
      resolution: 'accepted',
      resolved_by: 'operator',
      present: true,
    });
    await callRpc(node.rpcUrl, 'anvil_reorg', [1, []]);
    await market.run();
    expect(await state()).toMatchObject({
      status: 'resolved',
      resolution: 'accepted',
      resolved_by: 'operator',
      present: false,
    });
    const again = await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: merchant.address, value: 9n });
    expect(again).toBe(stray);
    await market.run();
    expect(await state()).toMatchObject({
      status: 'open',
      resolution: null,
      note: 'a gift',
      owner: 'ann',
      present: true,
    });
    expect(await world.rows('select history from billing.break')).toMatchObject([
      { history: [{ why: 'it had gone and came back', resolution: 'accepted', resolvedBy: 'operator' }] },
    ]);
  });

  it('is not resolved by a run that could not look for it', async () => {
    await goodBusiness(market);
    await market.run();
    await world.rows(`update keyfare.allowance set used = used + 1 where account_id = 'acct_1'`);
    await market.tamper(`delete from billing.chain_transfer where value = 2500`);
    await market.run();
    const before = await market.openBreaks();
    expect(before).toEqual(expect.arrayContaining(['balance-mismatch: 2500', 'meter-mismatch']));
    const blind = market.books({
      env: { RPC_URL: 'http://127.0.0.1:9' },
      feed: () => async () => {
        throw new DatabaseUnavailable(undefined, { inDoubt: false });
      },
    });
    await blind.reconcileJob.run('manual');
    expect(await market.openBreaks()).toEqual(before);
  });

  it('is not resolved by a run that could not compare the balance, and the run says so', async () => {
    await goodBusiness(market);
    await market.run();
    await market.tamper(`delete from billing.chain_transfer where value = 2500`);
    await market.run();
    expect(await market.openBreaks()).toContain('balance-mismatch: 2500');
    await world.rows(`update billing.chain_cursor set opening_balance = null where ${ofUsdc}`);
    expect((await market.run()).report.unchecked).toEqual(['balance-mismatch']);
    expect(await market.openBreaks()).toContain('balance-mismatch: 2500');
    await world.rows(`update billing.chain_cursor set opening_balance = 0 where ${ofUsdc}`);
    await world.rows(
      `delete from billing.chain_block where number = (select block_number from billing.chain_cursor where ${ofUsdc})`,
    );
    expect((await market.run()).report.unchecked).toEqual(['balance-mismatch']);
    expect(await market.openBreaks()).toContain('balance-mismatch: 2500');
  });
});

describe('a resolved difference', () => {
  const found = async (name: string): Promise<Record<string, unknown> | undefined> =>
    (await world.rows('select * from billing.break where class = $1', [name]))[0];

  it('of a meter is found and closed, and that of the total that stands for its entries: meter-mismatch, ledger-mismatch', async () => {
    const count = async (units: number): Promise<unknown> =>
      world.rows(`update keyfare.allowance set used = used + $1 where account_id = 'acct_1'`, [units]);
    await world.log.terms('acct_1');
    await world.log.keyCall('acct_1', { units: 3 });
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    await count(1);
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
    await count(-1);
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
    // The total is what the next call of the month is rated by.
    await market.tamper('update billing.period_total set units = units + 2');
    for (let run = 0; run < 2; run += 1) {
      await market.run();
      expect(await market.openBreaks()).toEqual(['ledger-mismatch']);
    }
    await market.tamper('update billing.period_total set units = units - 2');
    await market.run();
    expect(await market.openBreaks()).toEqual([]);
  });

  it('of a meter stays resolved while calls go on, and opens when it grows: meter-mismatch', async () => {
    await goodBusiness(market);
    await world.rows(`update keyfare.allowance set used = used + 1 where account_id = 'acct_1'`);
    await market.run();
    await resolve('one unit was given away');
    const resolved = await found('meter-mismatch');
    await world.log.keyCall('acct_1', { units: 2 });
    world.clock.advance(1_000);
    const { id } = await market.run();
    expect(await found('meter-mismatch')).toEqual({ ...resolved, last_seen: world.clock(), run_id: id });
    await world.rows(`update keyfare.allowance set used = used + 999999 where account_id = 'acct_1'`);
    await market.run();
    expect(await market.openBreaks()).toEqual(['meter-mismatch']);
    expect(await found('meter-mismatch')).toMatchObject({
      detail: 'The API counts 1000000 units more than the entries come to.',
      history: [
        {
          why: 'it is no longer the difference that was resolved',
          detail: 'The API counts 1 units more than the entries come to.',
          resolution: 'one unit was given away',
          resolvedBy: 'operator',
        },
      ],
    });
  });

  it('of a wallet stays resolved while payments go on, and opens when it grows or turns: balance-mismatch', async () => {
    await goodBusiness(market);
    await market.run();
    await world.rows(`update billing.chain_cursor set opening_balance = opening_balance - 1 where ${ofUsdc}`);
    await market.run();
    await resolve('a rounding of the bridge');
    const resolved = await found('balance-mismatch');
    for (const payment of await settle(node, [{ payer, payTo, amount: 60n }])) await world.log.paidCall(payment);
    const { id } = await market.run();
    expect(await found('balance-mismatch')).toEqual({ ...resolved, run_id: id });
    await world.rows(`update billing.chain_cursor set opening_balance = opening_balance + 2 where ${ofUsdc}`);
    await market.run();
    expect(await market.openBreaks()).toContain('balance-mismatch: 1');
    expect(await found('balance-mismatch')).toMatchObject({
      detail: 'The wallet holds 1 atomic units less than its transfers explain.',
      history: [{ amount: '1', side: 'chain', resolution: 'a rounding of the bridge' }],
    });
    await resolve('still small');
    await world.rows(`update billing.chain_cursor set opening_balance = opening_balance + 999999 where ${ofUsdc}`);
    await market.run();
    expect(await market.openBreaks()).toContain('balance-mismatch: 1000000');
    expect((await found('balance-mismatch'))?.['history']).toMatchObject([
      { resolution: 'a rounding of the bridge' },
      { resolution: 'still small', amount: '1' },
    ]);
  });
});
