import type { Sql } from '@keyfare/db/sql';
import { livesOf, type PaymentLife } from '../intake/payment-life.js';
import type { PaymentRow } from '../intake/payment-of.js';
import type { Claim } from '../ledger/flows.js';

/** What names a payment on the chain. */
export interface PaymentKey {
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
}

interface StoredRow extends PaymentKey {
  readonly entry_id: string;
  readonly outcome: PaymentRow['outcome'];
  readonly call_id: string | null;
  readonly pay_to: string;
  readonly amount: string;
  readonly transaction: string | null;
  readonly sku: string | null;
  readonly resource_url: string | null;
  readonly reason: string | null;
  readonly issued_at: Date;
  readonly place: string;
}

const keyed = `(
  select distinct * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as k (network, asset, payer, nonce)) as key`;

/**
 * The lives of these payments as far as they are booked, by the entry that brought each in, in the order of the log.
 */
export async function readLives(tx: Sql, keys: readonly PaymentKey[]): Promise<ReadonlyMap<string, PaymentLife>> {
  if (keys.length === 0) return new Map();
  const rows = await tx.query<StoredRow>({
    name: 'billing_read_lives',
    text: `select p.* from ${keyed} join billing.payment p using (network, asset, payer, nonce) order by p.place`,
    values: columnsOf(keys),
  });
  return livesOf(
    rows.map((row) => ({
      entryId: row.entry_id,
      outcome: row.outcome,
      callId: row.call_id,
      network: row.network,
      asset: row.asset,
      payer: row.payer,
      nonce: row.nonce,
      payTo: row.pay_to,
      amount: BigInt(row.amount),
      transaction: row.transaction,
      sku: row.sku,
      resourceUrl: row.resource_url,
      reason: row.reason,
      issuedAt: row.issued_at,
      place: BigInt(row.place),
    })),
  );
}

/** What a transfer of each payment pays, by the first entry that brought the payment in. */
export function claimsOf(lives: ReadonlyMap<string, PaymentLife>): ReadonlyMap<string, Claim> {
  const claims = new Map<string, Claim>();
  for (const life of lives.values()) {
    const name = keyName(life.base);
    if (!claims.has(name)) claims.set(name, claimOf(life));
  }
  return claims;
}

function claimOf({ state }: PaymentLife): Claim {
  if (state === 'settled' || state === 'owed') return 'settled';
  return state === 'deferred' || state === 'collected' ? 'deferred' : 'none';
}

/** One text for each payment. */
export function keyName({ network, asset, payer, nonce }: PaymentKey): string {
  return `${network}/${asset}/${payer}/${nonce}`;
}

/** The columns of the keys: network, asset, payer, nonce. */
export function columnsOf(keys: readonly PaymentKey[]): readonly string[][] {
  return [
    keys.map(({ network }) => network),
    keys.map(({ asset }) => asset),
    keys.map(({ payer }) => payer),
    keys.map(({ nonce }) => nonce),
  ];
}
