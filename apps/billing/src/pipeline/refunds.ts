import { createHash } from 'node:crypto';
import type { Sql } from '@keyfare/db/sql';
import { deriveId } from '../derive-id.js';
import { codeOf } from '../token.js';
import type { PaymentKey } from './payments.sql.js';

/** A transfer that may pay a refund: one out, by an authorization of the wallet itself. */
export interface PaidOut {
  readonly id: string;
  readonly to: string;
  readonly payTo: string;
  readonly value: bigint;
  /** What names its authorization; null for one without. */
  readonly key: PaymentKey | null;
}

/**
 * The nonce of the authorization that pays what an entry `refund-due` says is owed: SHA-256 of `keyfare-refund:` and
 * the entry's id. So the chain itself says which entry a transfer pays back.
 */
export function refundNonce(entryId: string): string {
  return `0x${createHash('sha256').update(`keyfare-refund:${entryId}`).digest('hex')}`;
}

/** SQL for the same, of an entry's id in a column. */
const nonceSql = `'0x' || encode(sha256(convert_to('keyfare-refund:' || p.entry_id, 'UTF8')), 'hex')`;

/** Of transfers that pay a refund whole, to whom it is owed, the entry. By their ids. */
export async function findRefunds(sql: Sql, transfers: readonly PaidOut[]): Promise<ReadonlyMap<string, string>> {
  const out = transfers.filter(({ key, payTo }) => key !== null && key.payer === payTo);
  if (out.length === 0) return new Map();
  const rows = await sql.query<{
    entry_id: string;
    network: string;
    asset: string;
    payer: string;
    amount: string;
    nonce: string;
  }>({
    text: `select * from (
        select p.entry_id, p.network, p.asset, p.payer, p.amount::text as amount, ${nonceSql} as nonce
        from billing.payment p where p.outcome = 'refund-due') as owed
      where nonce = any($1::text[])`,
    values: [out.map(({ key }) => key?.nonce)],
  });
  const owed = new Map(rows.map((row) => [row.nonce, row]));
  return new Map(
    out.flatMap(({ id, key, to, value }) => {
      const row = owed.get(key?.nonce ?? '');
      const isWhole = row?.network === key?.network && row?.asset === key?.asset && row?.payer === to;
      return row !== undefined && isWhole && BigInt(row.amount) === value ? [[id, row.entry_id] as const] : [];
    }),
  );
}

/** The keys by which these entries would be paid back, from each wallet of ours. */
export async function refundKeys(
  sql: Sql,
  owed: readonly { readonly entryId: string; readonly network: string; readonly asset: string }[],
): Promise<readonly PaymentKey[]> {
  if (owed.length === 0) return [];
  const wallets = await sql.query<{ network: string; address: string }>({
    text: `select network, address from billing.wallet where kind in ('till', 'treasury', 'settler')`,
  });
  return owed.flatMap(({ entryId, network, asset }) =>
    wallets
      .filter((wallet) => wallet.network === network)
      .map(({ address: payer }) => ({ network, asset, payer, nonce: refundNonce(entryId) })),
  );
}

/** Matches each entry with the transfer that paid it back: what is owed is owed no longer. */
export async function matchRefunds(tx: Sql, transfers: readonly PaidOut[], now: Date): Promise<void> {
  const refunds = await findRefunds(tx, transfers);
  const paid = transfers.flatMap((transfer) => {
    const entry = refunds.get(transfer.id);
    return entry === undefined || transfer.key === null ? [] : [{ ...transfer, entry, asset: codeOf(transfer.key) }];
  });
  if (paid.length === 0) return;
  await tx.query({
    text: `insert into billing.match (id, entry_id, transfer_id, asset, amount, state, final_at, rule, matched_at)
      select given.id, entry, transfer, given.asset, amount, case when final then 'final' else 'provisional' end,
        case when final then $6::timestamptz end, 'refund', $6
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::numeric[]) as given (id, entry, transfer, asset, amount)
      join billing.chain_transfer t on t.id = given.transfer
      join billing.chain_cursor c on c.watch = t.watch
      cross join lateral (select t.block_number <= c.finalized_number as final) as block
      on conflict (id) do nothing`,
    values: [
      paid.map(({ id, entry }) => deriveId(`match:${entry}/${id}/0`)),
      paid.map(({ entry }) => entry),
      paid.map(({ id }) => id),
      paid.map(({ asset }) => asset),
      paid.map(({ value }) => value.toString()),
      now,
    ],
  });
}

/** The blocks of these transfers are gone: what they paid back is owed again. */
export async function undoRefunds(tx: Sql, transfers: readonly string[], now: Date): Promise<void> {
  await tx.query({
    text: `update billing.match set state = 'undone', undone_at = $2, why = 'the block of the transfer is gone'
      where transfer_id = any($1::uuid[]) and rule = 'refund' and state <> 'undone'`,
    values: [transfers, now],
  });
}
