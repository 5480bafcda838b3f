import { tokenCodes } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { livesOf, type PaymentLife } from '../intake/payment-life.js';
import type { PaymentRow } from '../intake/payment-of.js';
import { type Claim, claimed, type Reclaimed } from '../ledger/flows.js';
import { codeOf } from '../token.js';

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

interface TransferRow extends PaymentKey {
  readonly id: string;
  readonly value: string;
  readonly block_time: Date;
  readonly account: string;
  readonly moves: number;
}

/** The booked transfers of these payments that stand on another account than the claims say by now. */
export async function findReclaimed(
  tx: Sql,
  keys: readonly PaymentKey[],
  claims: ReadonlyMap<string, Claim>,
): Promise<readonly Reclaimed[]> {
  if (keys.length === 0) return [];
  // Where the money of each stands: the one account, besides those of the wallet, that its journals left a credit on.
  const rows = await tx.query<TransferRow>({
    name: 'billing_find_booked_transfers',
    text: `select t.id, t.network, t.asset, t.authorizer as payer, t.nonce, t.value, t.block_time, stands.account,
        (select count(*)::int from billing.journal m
          where m.source = 'transfer:' || t.id and m.kind = 'identification') as moves
      from ${keyed}
      join billing.chain_transfer t on t.network = key.network and t.asset = key.asset and t.authorizer = key.payer
        and t.nonce = key.nonce and t.orphaned_at is null
      cross join lateral (
        select p.account from billing.journal j join billing.ledger_line p on p.journal_id = j.id
        where j.source = 'transfer:' || t.id and split_part(p.account, ':', 1) = any($5::text[])
        group by p.account having sum(p.amount) <> 0) as stands
      order by t.id`,
    values: [...columnsOf(keys), [...claimByAccount.keys()]],
  });
  return rows.flatMap((row) => {
    const asset = codeOf(row);
    const from = claimByAccount.get(kindOf(row.account)) ?? 'none';
    const to = claims.get(keyName(row)) ?? 'none';
    if (from === to) return [];
    const { id, network, value, block_time: blockTime, moves } = row;
    return [{ id, network, asset, value: BigInt(value), blockTime, from, to, moves }];
  });
}

/** What a transfer pays by the account that its credit stands on, of each token. */
const claimByAccount = new Map<string, Claim>(
  tokenCodes.flatMap((asset) =>
    (['none', 'settled', 'deferred'] as const).map((claim) => [
      kindOf(claimed(claim, { network: '', asset }).code),
      claim,
    ]),
  ),
);

/** The first part of an account's code. */
function kindOf(account: string): string {
  return account.split(':', 1)[0] ?? '';
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
