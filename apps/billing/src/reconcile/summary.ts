import type { Rail } from '@keyfare/core/metering';
import { type AssetCode, type LedgerAssetCode, type TokenCode, tokenCodes } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { codeSql } from '../token.js';
import { type PaymentJudgement, paymentParameters, payments } from './payment-status.sql.js';
import { decimal, type ReconciliationReport, type WalletFigures } from './report.js';

interface WalletRow {
  readonly watch: string;
  readonly asset: TokenCode;
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
  readonly judgement: PaymentJudgement;
}

type Figures = Omit<ReconciliationReport, 'breaks' | 'unchecked'>;

/** The figures of a run without its breaks, all of the transaction's snapshot; and as of when the chain's are. */
export async function summarize(
  tx: Sql,
  facts: RunFacts,
): Promise<{ readonly report: Figures; readonly chainAsOf: Date | null }> {
  const { judgement } = facts;
  const wallets = await readWallets(tx, judgement.network.caip2);
  const figures = await readTokens(tx, judgement);
  const inUsdc = wallets.filter(({ asset }) => asset === 'USDC');
  const current = inUsdc.find(({ pay_to: wallet }) => wallet === judgement.payTo);
  const others = otherTokens(wallets, figures, facts.balances);
  const report: Figures = {
    entries: { complete: facts.entriesComplete, place: facts.place, ...(await countEntries(tx)) },
    calls: await sumCalls(tx),
    ...tokenFigures('USDC', figures),
    chain: {
      ...(current === undefined ? unread(judgement.payTo) : figuresOf(current, facts.balances)),
      state: facts.chainState,
      network: judgement.network.caip2,
      earlier: inUsdc.filter((row) => row !== current).map((row) => figuresOf(row, facts.balances)),
    },
    ...(others.length > 0 && { otherTokens: others }),
    ledger: await sumLedger(tx),
  };
  return { report, chainAsOf: chainAsOf(wallets, judgement.payTo) };
}

/** The moment of which all that the configured wallet moved is known, in whatever token; null while there is none. */
function chainAsOf(wallets: readonly WalletRow[], payTo: string): Date | null {
  const moments = wallets.filter(({ pay_to: wallet }) => wallet === payTo).map(({ complete_as_of: asOf }) => asOf);
  const known = moments.flatMap((moment) => moment ?? []);
  if (known.length < moments.length) return null;
  return known.toSorted((a, b) => a.getTime() - b.getTime())[0] ?? null;
}

interface TokenRows {
  readonly payments: readonly PaymentRow[];
  readonly unpaid: readonly SumRow[];
  readonly refundsDue: readonly SumRow[];
}

type TokenFigures = Pick<ReconciliationReport, 'payments' | 'unpaid' | 'refundsDue'>;

async function readTokens(tx: Sql, judgement: PaymentJudgement): Promise<TokenRows> {
  return {
    payments: await sumPayments(tx, judgement),
    unpaid: await sumUnpaid(tx),
    refundsDue: await sumRefunds(tx),
  };
}

/** What the rows say of one token. */
function tokenFigures(token: TokenCode, rows: TokenRows): TokenFigures {
  const sumOf = (sums: readonly SumRow[]): TokenFigures['unpaid'] => {
    const { count = 0, amount = '0' } = sums.find(({ asset }) => asset === token) ?? {};
    return { count, amount: decimal(token, amount) };
  };
  return {
    payments: rows.payments.flatMap(({ asset, status, count, recorded, settled }) =>
      asset === token ? [{ status, count, recorded: decimal(token, recorded), settled: decimal(token, settled) }] : [],
    ),
    unpaid: sumOf(rows.unpaid),
    refundsDue: sumOf(rows.refundsDue),
  };
}

/** The tokens beside USDC of which there are payments, or which a wallet has held. */
function otherTokens(
  wallets: readonly WalletRow[],
  rows: TokenRows,
  balances: RunFacts['balances'],
): NonNullable<ReconciliationReport['otherTokens']> {
  return tokenCodes.flatMap((asset) => {
    if (asset === 'USDC') return [];
    const held = wallets.filter((row) => row.asset === asset && hasMoved(row, balances));
    const figures = tokenFigures(asset, rows);
    const isKnown = figures.payments.length + figures.unpaid.count + figures.refundsDue.count + held.length > 0;
    return isKnown ? [{ asset, ...figures, wallets: held.map((row) => figuresOf(row, balances)) }] : [];
  });
}

function hasMoved(row: WalletRow, balances: RunFacts['balances']): boolean {
  const amounts = [row.opening_balance ?? '0', row.money_in, row.money_out, balances.get(row.watch) ?? 0n];
  return amounts.some((amount) => BigInt(amount) !== 0n);
}

function unread(wallet: string): WalletFigures {
  const nothing = { block: null, finalized: null, opening: null, explained: null, balance: null };
  return { wallet, ...nothing, in: decimal('USDC', '0'), out: decimal('USDC', '0') };
}

function figuresOf(row: WalletRow, balances: RunFacts['balances']): WalletFigures {
  const { asset, opening_balance: opening, money_in: moneyIn, money_out: moneyOut } = row;
  const explained = opening === null ? null : BigInt(opening) + BigInt(moneyIn) - BigInt(moneyOut);
  return {
    wallet: row.pay_to,
    block: row.block_number,
    finalized: row.finalized_number,
    opening: decimal(asset, opening),
    in: decimal(asset, moneyIn),
    out: decimal(asset, moneyOut),
    explained: decimal(asset, explained?.toString() ?? null),
    balance: decimal(asset, balances.get(row.watch)?.toString() ?? null),
  };
}

async function countEntries(tx: Sql): Promise<{ good: number; bad: number }> {
  const [row] = await tx.query<{ good: number; bad: number }>({
    // By indexes: the documents beside them are read by nobody here.
    text: `select (every - bad)::int as good, bad::int as bad
      from (select count(*) as every from billing.entry) as e,
        (select count(*) as bad from billing.entry where fault is not null) as f`,
  });
  return { good: row?.good ?? 0, bad: row?.bad ?? 0 };
}

async function sumCalls(tx: Sql): Promise<ReconciliationReport['calls']> {
  const rows = await tx.query<{ rail: Rail; count: number; units: string; asset: AssetCode; amount: string }>({
    text: `select rail, asset, sum(calls)::int as count, sum(units)::text as units, sum(amount)::text as amount
      from billing.charge_day group by rail, asset order by rail, asset`,
  });
  return rows.map(({ rail, count, units, asset, amount }) => ({
    rail,
    count,
    units,
    asset,
    amount: decimal(asset, amount),
  }));
}

interface PaymentRow {
  readonly asset: TokenCode;
  readonly status: string;
  readonly count: number;
  readonly recorded: string;
  readonly settled: string;
}

interface SumRow {
  readonly asset: TokenCode;
  readonly count: number;
  readonly amount: string;
}

async function sumPayments(tx: Sql, judgement: PaymentJudgement): Promise<readonly PaymentRow[]> {
  return tx.query<PaymentRow>({
    text: `with ${payments(1)}
      select ${codeSql('asset')} as asset, status, count(*)::int as count,
        coalesce(sum(recorded_amount), 0)::text as recorded, coalesce(sum(settled_amount), 0)::text as settled
      from payments group by 1, status order by 1, status`,
    values: paymentParameters(judgement),
  });
}

async function sumUnpaid(tx: Sql): Promise<readonly SumRow[]> {
  return tx.query<SumRow>({
    text: `select ${codeSql('asset')} as asset, count(*)::int as count, sum(amount)::text as amount from billing.payment
      where outcome = 'unpaid' group by 1`,
  });
}

async function sumRefunds(tx: Sql): Promise<readonly SumRow[]> {
  return tx.query<SumRow>({
    text: `select ${codeSql('p.asset')} as asset, count(*)::int as count, sum(p.amount)::text as amount
      from billing.payment p
      where p.outcome = 'refund-due' and coalesce((
        select l.outcome from billing.payment l where l.call_id = p.entry_id order by l.place desc limit 1), '') <> 'reversed'
        and not exists (
          select 1 from billing.match m where m.entry_id = p.entry_id and m.rule = 'refund' and m.state <> 'undone')
        and not exists (select 1 from billing.customer_credit c where c.entry_id = p.entry_id)
      group by 1`,
  });
}

async function readWallets(tx: Sql, network: string): Promise<readonly WalletRow[]> {
  return tx.query<WalletRow>({
    text: `select c.watch, ${codeSql('c.asset')} as asset, c.pay_to, c.block_number, c.finalized_number, c.opening_balance, c.complete_as_of,
        coalesce(sum(t.value) filter (where t.to_address = t.pay_to), 0)::text as money_in,
        coalesce(sum(t.value) filter (where t.from_address = t.pay_to), 0)::text as money_out
      from billing.chain_cursor c
      left join billing.chain_transfer t on t.watch = c.watch and t.orphaned_at is null
      where c.network = $1 group by c.watch order by c.watch`,
    values: [network],
  });
}

async function sumLedger(tx: Sql): Promise<ReconciliationReport['ledger']> {
  const rows = await tx.query<{ asset: LedgerAssetCode; type: string; balance: string }>({
    text: `select b.asset, a.type, sum(b.debits - b.credits)::text as balance
      from billing.balance b join billing.ledger_account a on a.code = b.account
      group by b.asset, a.type order by b.asset, a.type`,
  });
  return rows.map(({ asset, type, balance }) => ({ asset, type, balance: decimal(asset, balance) }));
}

/** The breaks that are open now, by class. */
export async function sumBreaks(tx: Sql): Promise<ReconciliationReport['breaks']> {
  const rows = await tx.query<{ class: string; asset: AssetCode | null; count: number; amount: string | null }>({
    text: `select class, asset, count(*)::int as count, sum(amount)::text as amount from billing.break
      where status = 'open' group by class, asset order by class, asset`,
  });
  return rows.map(({ class: name, asset, count, amount }) => ({
    class: name,
    asset,
    count,
    amount: asset === null ? null : decimal(asset, amount),
  }));
}
