import type { Sql } from '@keyfare/db/sql';
import type { BookedTransfer } from '../ledger/flows.js';

/** What names a payment on the chain. */
export interface PaymentKey {
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
}

interface TransferRow {
  readonly id: string;
  readonly network: string;
  readonly pay_to: string;
  readonly from_address: string;
  readonly to_address: string;
  readonly value: string;
  readonly block_time: Date;
}

/** The transfers of these payments that were booked as unidentified, for the entries had not come yet. */
export async function findUnidentified(
  tx: Sql,
  keys: readonly PaymentKey[],
): Promise<readonly Omit<BookedTransfer, 'recorded'>[]> {
  const rows = await tx.query<TransferRow>({
    name: 'billing_find_unidentified',
    text: `select distinct t.id, t.network, t.pay_to, t.from_address, t.to_address, t.value, t.block_time
      from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as key (network, asset, payer, nonce)
      join billing.chain_transfer t on t.network = key.network and t.asset = key.asset
        and t.authorizer = key.payer and t.nonce = key.nonce and t.orphaned_at is null
      where exists (
          select 1 from billing.journal j where j.source = 'transfer:' || t.id and j.kind = 'unidentified')
        and not exists (
          select 1 from billing.journal j where j.source = 'transfer:' || t.id and j.kind = 'identification')
      order by t.id`,
    values: columnsOf(keys),
  });
  return rows.map((row) => ({
    id: row.id,
    network: row.network,
    payTo: row.pay_to,
    from: row.from_address,
    to: row.to_address,
    value: BigInt(row.value),
    authorized: true,
    blockTime: row.block_time,
  }));
}

/** Those of the payments that an entry records as settled, each as `keyName` names it. */
export async function findRecorded(tx: Sql, keys: readonly PaymentKey[]): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set();
  const rows = await tx.query<PaymentKey>({
    name: 'billing_find_recorded',
    text: `select distinct p.network, p.asset, p.payer, p.nonce
      from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as key (network, asset, payer, nonce)
      join billing.payment p using (network, asset, payer, nonce) where p.outcome = 'settled'`,
    values: columnsOf(keys),
  });
  return new Set(rows.map(keyName));
}

/** One text for each payment. */
export function keyName({ network, asset, payer, nonce }: PaymentKey): string {
  return `${network}/${asset}/${payer}/${nonce}`;
}

function columnsOf(keys: readonly PaymentKey[]): readonly string[][] {
  return [
    keys.map(({ network }) => network),
    keys.map(({ asset }) => asset),
    keys.map(({ payer }) => payer),
    keys.map(({ nonce }) => nonce),
  ];
}
