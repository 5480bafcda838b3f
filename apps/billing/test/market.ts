import { type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, transferUsdc } from '@keyfare/devstack/usdc';
import type { Run } from '../src/reconcile/reconcile.service.js';
import type { RunScope } from '../src/reconcile/run-store.js';
import { type Settled, settle } from './payments.js';
import { type Books, type BooksOptions, openBooks, openWorld, type World } from './world.js';

export const merchant = testPayer(80);
export const payTo = merchant.address.toLowerCase();

/** A world with a chain: what it takes to do business, and to find out what is wrong with it. */
export interface Market {
  readonly world: World;
  readonly node: LocalChain;
  readonly payer: TestPayer;
  /** One more process of billing, without its loops. */
  books(options?: BooksOptions): Books;
  run(scope?: RunScope): Promise<Run>;
  /** Open breaks as `class: amount`. */
  openBreaks(): Promise<string[]>;
  /** Changes the books as nobody may: past the triggers and the grants. */
  tamper(...statements: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const sides = `coalesce(sum(l.amount) filter (where l.amount > 0), 0),
  coalesce(-sum(l.amount) filter (where l.amount < 0), 0) from billing.ledger_line l`;
const keptBalances = [
  'delete from billing.balance',
  'delete from billing.balance_day',
  'delete from billing.wallet_day',
  'delete from billing.charge_day',
  `insert into billing.balance select l.account, l.asset, ${sides} group by 1, 2`,
  `insert into billing.balance_day select l.account, (j.effective_at at time zone 'UTC')::date, ${sides}
    join billing.journal j on j.id = l.journal_id group by 1, 2`,
  `insert into billing.wallet_day (account, day, kind, lines, amount)
    select l.account, (j.effective_at at time zone 'UTC')::date, j.kind, count(*), sum(l.amount)
    from billing.ledger_line l join billing.journal j on j.id = l.journal_id
    where l.account like lower(l.asset) || ':%' group by 1, 2, 3`,
  `insert into billing.charge_day
    select period_start, rail, sku, coalesce(account, payer), coalesce(account, ''), asset,
      (occurred_at at time zone 'UTC')::date, coalesce(unit_price, 0), count(*), sum(units), sum(included), sum(overage),
      sum(amount), coalesce(billed_in, period_start)
    from billing.charge group by 1, 2, 3, 4, 5, 6, 7, 8, coalesce(billed_in, period_start)`,
];

export async function openMarket(): Promise<Market> {
  const [node, world] = await Promise.all([startTestChain(), openWorld({ PAY_TO: payTo })]);
  const payer = await fundedPayer(node, 1);
  await fundEth(node.rpcUrl, payer.address);
  await fundEth(node.rpcUrl, merchant.address);
  const open: Books[] = [];
  const books = (options: BooksOptions = {}): Books => {
    const opened = openBooks(world, { ...options, env: { RPC_URL: node.rpcUrl, ...options.env } });
    open.push(opened);
    return opened;
  };
  const reader = books();
  return {
    world,
    node,
    payer,
    books,
    run: async (scope) => reader.reconcileJob.run('manual', scope),
    openBreaks: async () => {
      const rows = await world.rows<{ class: string; amount: string | null }>(
        `select class, amount from billing.break where status = 'open' order by class, amount`,
      );
      return rows.map((row) => (row.amount === null ? row.class : `${row.class}: ${row.amount}`));
    },
    tamper: async (...statements) => {
      await world.sql.transaction(async (tx) => {
        await tx.query({ text: 'set local session_replication_role = replica' });
        for (const text of statements) await tx.query({ text });
        // Who tampers with movements does not forget the balances.
        for (const text of keptBalances) await tx.query({ text });
      });
    },
    close: async () => {
      await Promise.all(open.map(async (each) => each.close()));
      await Promise.all([world.close(), node.kill()]);
    },
  };
}

/** A month of business in which nothing is wrong: fourteen entries and four transfers. */
export async function goodBusiness({ world, node, payer }: Market): Promise<readonly Settled[]> {
  const { log } = world;
  await log.terms('acct_1', { includedUnits: '5' });
  await log.terms('acct_2', { includedUnits: '0', planVersion: 2 });
  for (let call = 0; call < 4; call += 1) {
    await log.keyCall('acct_1', { units: 2 });
    await log.keyCall('acct_2', { sku: 'distances' });
  }
  const settled = await settle(node, [
    { payer, payTo, amount: 1_000n },
    { payer, payTo, amount: 2_500n },
  ]);
  for (const payment of settled) await log.paidCall(payment);
  const [linked] = await settle(node, [{ payer, payTo, amount: 700n }]);
  if (linked !== undefined) await log.paidCall({ ...linked, account: 'acct_1' });
  await log.unpaidCall({ payer: payer.address, payTo, amount: 900n });
  await transferUsdc(node.rpcUrl, { privateKey: merchant.privateKey, to: payer.address, value: 100n });
  return settled;
}
