import type { Sql } from '@keyfare/db/sql';
import { gasSpent } from '../gas-spent.sql.js';
import { coin, gas } from '../ledger/chart.js';
import { type Journal, journalOf } from '../ledger/journal.js';

interface DueRow {
  readonly network: string;
  readonly transaction: string;
  readonly sender: string;
  readonly block_time: Date;
  readonly fee: string;
  readonly before: number;
}

/** Which transactions are looked at: those of a wallet's transfers in some blocks, or of these transfers. */
export type GasScope = { readonly watch: string; readonly after: bigint } | { readonly transfers: readonly string[] };

const source = `'gas:' || t.network || '/' || t.transaction`;

/** SQL for whether the sender is a settler of ours: what its transactions cost is our expense. */
const isOurs = `exists (
  select 1 from billing.wallet w where w.network = t.network and w.address = t.sender and w.kind = 'settler'
    and w.since <= t.block_time)`;

function within(scope: GasScope, t = 't'): { readonly where: string; readonly values: readonly unknown[] } {
  if ('transfers' in scope) return { where: `${t}.id = any($1::uuid[])`, values: [scope.transfers] };
  return { where: `${t}.watch = $1 and ${t}.block_number > $2`, values: [scope.watch, scope.after.toString()] };
}

/**
 * What transactions of our settlers have cost that is not in the books yet: of final blocks, each transaction once,
 * however many payments it moved.
 */
export async function gasDue(tx: Sql, scope: GasScope): Promise<readonly Journal[]> {
  const { where, values } = within(scope);
  const rows = await tx.query<DueRow>({
    text: `select due.*, (select count(*)::int from billing.journal j where j.source = due.source and j.kind = 'gas') as before
      from (
        select t.network, t.transaction, min(t.sender) as sender, min(t.block_time) as block_time,
          min(t.transaction_fee)::text as fee, ${source} as source
        from billing.chain_transfer t join billing.chain_cursor c on c.watch = t.watch
        where ${where} and t.orphaned_at is null and t.block_number <= c.finalized_number and t.transaction_fee > 0
          and ${isOurs}
        group by t.network, t.transaction) as due
      where not exists (
        select 1 from billing.journal j
        where j.source = due.source and j.kind = 'gas'
          and not exists (select 1 from billing.journal r where r.reverses = j.id))
      order by due.transaction`,
    values,
  });
  return rows.map(({ network, transaction, sender, block_time: occurredAt, fee, before: nth }) =>
    journalOf({
      kind: 'gas',
      source: `gas:${network}/${transaction}`,
      occurredAt,
      debit: gas(network),
      credit: coin(network, sender),
      amount: BigInt(fee),
      nth,
    }),
  );
}

/** The sources of gas that is booked of these transfers and is none of ours, or of a block that is gone. */
export async function gasGone(tx: Sql, transfers: readonly string[]): Promise<readonly string[]> {
  const rows = await tx.query<{ source: string }>({
    text: `select distinct ${source} as source from billing.chain_transfer t
      where t.id = any($1::uuid[]) and (t.orphaned_at is not null or not ${isOurs})
        and exists (select 1 from billing.journal j where j.source = ${source})`,
    values: [transfers],
  });
  return rows.map((row) => row.source);
}

/** Brings `billing.gas_spent` to what the transfers say by now, of the transactions that these transfers are in. */
export async function keepGas(tx: Sql, scope: GasScope): Promise<void> {
  const { where, values } = within(scope, 'touched');
  const touched = `(select touched.network, touched.transaction from billing.chain_transfer touched where ${where})`;
  await tx.query({
    text: `delete from billing.gas_spent g where (g.network, g.transaction) in ${touched}`,
    values,
  });
  await tx.query({
    text: `insert into billing.gas_spent (network, transaction, settler, day, block_time, fee, payments, usdc, eurc)
      ${gasSpent(`(t.network, t.transaction) in ${touched}`)}`,
    values,
  });
}
