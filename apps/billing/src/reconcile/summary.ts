import type { Rail } from '@keyfare/core/metering';
import type { AssetCode } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { type PaymentJudgement, paymentParameters, payments } from './payment-status.sql.js';
import { decimal, type ReconciliationReport, type WalletFigures } from './report.js';

interface WalletRow {
  readonly watch: string;
  readonly pay_to: string;
  readonly block_number: string;
  readonly finalized_number: string;
  readonly opening_balance: string | null;
  readonly complete_as_of: Date | null;
  readonly money_in: string;
  readonly money_out: string;
}

/** What the run knows besides the books. */
export interface RunFacts {
  readonly entriesComplete: boolean;
  readonly place: string;
  readonly chainState: ReconciliationReport['chain']['state'];
  /** What wallets hold, by their names in the books. */
  readonly balances: ReadonlyMap<string, bigint>;
  readonly unchecked: readonly string[];
  readonly judgement: PaymentJudgement;
}

/** The figures of a run, all of them of the transaction's snapshot; and as of when the chain's are. */
export async function summarize(
  tx: Sql,
  facts: RunFacts,
): Promise<{ readonly report: ReconciliationReport; readonly chainAsOf: Date | null }> {
  const { judgement } = facts;
  const wallets = await readWallets(tx, judgement.network.caip2);
  const current = wallets.find(({ pay_to: wallet }) => wallet === judgement.payTo);
  const report: ReconciliationReport = {
    entries: { complete: facts.entriesComplete, place: facts.place, ...(await countEntries(tx)) },
    calls: await sumCalls(tx),
    payments: await sumPayments(tx, judgement),
    unpaid: await sumUnpaid(tx),
    refundsDue: await sumRefunds(tx),
    chain: {
      ...(current === undefined ? unread(judgement.payTo) : figuresOf(current, facts.balances)),
      state: facts.chainState,
      network: judgement.network.caip2,
      earlier: wallets.filter((row) => row !== current).map((row) => figuresOf(row, facts.balances)),
    },
    ledger: await sumLedger(tx),
    breaks: await sumBreaks(tx),
    unchecked: [...facts.unchecked],
  };
  return { report, chainAsOf: current?.complete_as_of ?? null };
}

function unread(wallet: string): WalletFigures {
  const nothing = { block: null, finalized: null, opening: null, explained: null, balance: null };
  return { wallet, ...nothing, in: decimal('USDC', '0'), out: decimal('USDC', '0') };
}

function figuresOf(row: WalletRow, balances: RunFacts['balances']): WalletFigures {
  const { opening_balance: opening, money_in: moneyIn, money_out: moneyOut } = row;
  const explained = opening === null ? null : BigInt(opening) + BigInt(moneyIn) - BigInt(moneyOut);
  return {
    wallet: row.pay_to,
    block: row.block_number,
    finalized: row.finalized_number,
    opening: decimal('USDC', opening),
    in: decimal('USDC', moneyIn),
    out: decimal('USDC', moneyOut),
    explained: decimal('USDC', explained?.toString() ?? null),
    balance: decimal('USDC', balances.get(row.watch)?.toString() ?? null),
  };
}

async function countEntries(tx: Sql): Promise<{ good: number; bad: number }> {
  const [row] = await tx.query<{ good: number; bad: number }>({
    text: `select count(*) filter (where fault is null)::int as good, count(fault)::int as bad from billing.entry`,
  });
  return { good: row?.good ?? 0, bad: row?.bad ?? 0 };
}

async function sumCalls(tx: Sql): Promise<ReconciliationReport['calls']> {
  const rows = await tx.query<{ rail: Rail; count: number; units: string; asset: AssetCode; amount: string }>({
    text: `select rail, asset, count(*)::int as count, sum(units)::text as units, sum(amount)::text as amount
      from billing.charge group by rail, asset order by rail`,
  });
  return rows.map(({ rail, count, units, asset, amount }) => ({
    rail,
    count,
    units,
    asset,
    amount: decimal(asset, amount),
  }));
}

async function sumPayments(tx: Sql, judgement: PaymentJudgement): Promise<ReconciliationReport['payments']> {
  const rows = await tx.query<{ status: string; count: number; recorded: string; settled: string }>({
    text: `with ${payments(1)}
      select status, count(*)::int as count, coalesce(sum(recorded_amount), 0)::text as recorded,
        coalesce(sum(settled_amount), 0)::text as settled
      from payments group by status order by status`,
    values: paymentParameters(judgement),
  });
  return rows.map(({ status, count, recorded, settled }) => ({
    status,
    count,
    recorded: decimal('USDC', recorded),
    settled: decimal('USDC', settled),
  }));
}

async function sumUnpaid(tx: Sql): Promise<ReconciliationReport['unpaid']> {
  const [row] = await tx.query<{ count: number; amount: string }>({
    text: `select count(*)::int as count, coalesce(sum(amount), 0)::text as amount from billing.payment
      where outcome = 'unpaid'`,
  });
  return { count: row?.count ?? 0, amount: decimal('USDC', row?.amount ?? '0') };
}

async function sumRefunds(tx: Sql): Promise<ReconciliationReport['refundsDue']> {
  const [row] = await tx.query<{ count: number; amount: string }>({
    text: `select count(*)::int as count, coalesce(sum(p.amount), 0)::text as amount from billing.payment p
      where p.outcome = 'refund-due' and coalesce((
        select l.outcome from billing.payment l where l.call_id = p.entry_id order by l.place desc limit 1), '') <> 'reversed'`,
  });
  return { count: row?.count ?? 0, amount: decimal('USDC', row?.amount ?? '0') };
}

async function readWallets(tx: Sql, network: string): Promise<readonly WalletRow[]> {
  return tx.query<WalletRow>({
    text: `select c.watch, c.pay_to, c.block_number, c.finalized_number, c.opening_balance, c.complete_as_of,
        coalesce(sum(t.value) filter (where t.to_address = t.pay_to), 0)::text as money_in,
        coalesce(sum(t.value) filter (where t.from_address = t.pay_to), 0)::text as money_out
      from billing.chain_cursor c
      left join billing.chain_transfer t on t.watch = c.watch and t.orphaned_at is null
      where c.network = $1 group by c.watch order by c.watch`,
    values: [network],
  });
}

async function sumLedger(tx: Sql): Promise<ReconciliationReport['ledger']> {
  const rows = await tx.query<{ asset: AssetCode; type: string; balance: string }>({
    text: `select p.asset, a.type, sum(p.amount)::text as balance
      from billing.posting p join billing.ledger_account a on a.code = p.account
      group by p.asset, a.type order by p.asset, a.type`,
  });
  return rows.map(({ asset, type, balance }) => ({ asset, type, balance: decimal(asset, balance) }));
}

async function sumBreaks(tx: Sql): Promise<ReconciliationReport['breaks']> {
  const rows = await tx.query<{ class: string; asset: AssetCode | null; count: number; amount: string | null }>({
    text: `select class, asset, count(*)::int as count, sum(amount)::text as amount from billing.break
      where status = 'open' group by class, asset order by class, asset`,
  });
  return rows.map(({ class: name, asset, count, amount }) => ({
    class: name,
    asset,
    count,
    amount: decimal(asset ?? 'USDC', amount),
  }));
}
