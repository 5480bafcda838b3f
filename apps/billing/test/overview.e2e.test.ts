import { afterAll, beforeAll, expect, it } from '@keyfare/jest-preset/globals';
import { type Market, openMarket, payTo } from './market.js';
import { settle } from './payments.js';
import { type Service, settled, startService } from './service.js';

let market: Market;
let service: Service;

beforeAll(async () => {
  market = await openMarket();
  service = await startService(market.world, { RPC_URL: market.node.rpcUrl });
}, 60_000);
afterAll(async () => {
  await service.close();
  await market.close();
});

interface Overview {
  readonly days: readonly {
    readonly day: string;
    readonly rail: string;
    readonly calls: string;
    readonly amount: string;
  }[];
  readonly balances: readonly { readonly kind: string; readonly asset: string; readonly balance: string }[];
  readonly breaks: readonly { readonly severity: string; readonly count: number }[];
}

const overview = async (): Promise<Overview> => (await service.call('/overview')).body;
const sum = (numbers: readonly string[]): bigint => numbers.reduce((all, number) => all + BigInt(number), 0n);

it('tells calls by day and rail, what stands where, who is near the end of a plan, and what is open', async () => {
  const { log } = market.world;
  await log.terms('acct_1', { includedUnits: '4', accountName: 'Nearly through' });
  await log.terms('acct_2', { includedUnits: '1000', accountName: 'Far from it' });
  await log.keyCall('acct_1', { units: 3 });
  await log.keyCall('acct_1', { units: 3 });
  await log.keyCall('acct_2', { units: 3 });
  const [payment] = await settle(market.node, [{ payer: market.payer, payTo, amount: 1_000n }]);
  if (payment === undefined) throw new Error('nothing was settled');
  await log.paidCall(payment);
  const calls = async (): Promise<bigint> => sum((await overview()).days.map((day) => day.calls));
  expect(await settled(calls, 4n)).toBe(4n);
  await service.reconcile();

  const read = await overview();
  const today = market.world.clock().toISOString().slice(0, 10);
  expect(read).toMatchObject({
    days: [
      { day: today, rail: 'key', asset: 'USD', calls: '3', amount: '0.000500' },
      { day: today, rail: 'x402', asset: 'USDC', calls: '1' },
    ],
    allowances: [{ account: 'acct_1', name: 'Nearly through', used: '6', included: '4' }],
    proposals: 0,
  });
  expect(read.balances).toContainEqual({
    kind: 'unbilled-receivable',
    type: 'asset',
    asset: 'USD',
    balance: '0.000500',
  });
  // The same as the books: nothing stands on both sides together, and as many breaks are open as the list has.
  const [trial] = await market.world.rows<{ sum: string }>(
    'select coalesce(sum(debits - credits), 0)::text as sum from billing.balance',
  );
  expect(trial?.sum).toBe('0');
  const { items } = (await service.call('/breaks?status=open&limit=200')).body as { items: readonly object[] };
  expect(read.breaks.reduce((count, one) => count + one.count, 0)).toBe(items.length);
  expect((await service.call('/overview', { token: null })).status).toBe(401);
});
