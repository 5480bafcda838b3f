import type { TokenCode } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import type { LedgerAccount } from '../ledger/chart.js';
import { type Claim, destinationOf, type Reclaimed, sourceOf } from '../ledger/flows.js';
import { codeOf, codeSql } from '../token.js';
import { natureOf, readKnown, type Sides } from './natures.js';
import { columnsOf, keyName, type PaymentKey } from './payments.sql.js';
import { findRefunds } from './refunds.js';

interface StandingRow {
  readonly id: string;
  readonly network: string;
  readonly asset: string;
  readonly payer: string | null;
  readonly nonce: string | null;
  readonly value: string;
  readonly block_time: Date;
  readonly pay_to: string;
  readonly from_address: string;
  readonly to_address: string;
  readonly sender: string;
  readonly dust: boolean;
  readonly credited: LedgerAccount | null;
  readonly debited: LedgerAccount | null;
  readonly moves: number;
}

/** A transfer as it stands in the books. */
export interface BookedStanding extends Sides {
  readonly id: string;
  readonly network: string;
  readonly asset: TokenCode;
  /** What names its payment; null for one without an authorization. */
  readonly key: PaymentKey | null;
  readonly value: bigint;
  /** What stands against it, where it came in and where it went out. */
  readonly credited: LedgerAccount | null;
  readonly debited: LedgerAccount | null;
  /** How often it was moved before. */
  readonly moves: number;
}

// What stands against a transfer: the accounts, besides the wallet's own, that its journals left a balance on.
const standing = `select t.id, t.network, t.asset, t.authorizer as payer, t.nonce, t.value, t.block_time, t.pay_to,
    t.from_address, t.to_address, t.sender, t.dust, stands.credited, stands.debited,
    (select count(*)::int from billing.journal m
      where m.source = 'transfer:' || t.id and m.kind = 'identification') as moves`;
const stands = `cross join lateral (
    select (array_agg(account) filter (where amount < 0))[1] as credited,
      (array_agg(account) filter (where amount > 0))[1] as debited
    from (
      select jsonb_build_object('code', a.code, 'asset', a.asset, 'type', a.type) as account, sum(p.amount) as amount
      from billing.journal j join billing.ledger_line p on p.journal_id = j.id
      join billing.ledger_account a on a.code = p.account
      where j.source = 'transfer:' || t.id
        and a.code <> lower(${codeSql('t.asset')}) || ':' || t.network || ':' || t.pay_to
      group by a.code) as left_on) as stands
  order by t.id`;

/** The booked transfers of these payments. */
export async function standingOf(tx: Sql, keys: readonly PaymentKey[]): Promise<readonly BookedStanding[]> {
  if (keys.length === 0) return [];
  const rows = await tx.query<StandingRow>({
    name: 'billing_standing_of_payments',
    text: `${standing}
      from (select distinct * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
        as k (network, asset, payer, nonce)) as key
      join billing.chain_transfer t on t.network = key.network and t.asset = key.asset and t.authorizer = key.payer
        and t.nonce = key.nonce and t.orphaned_at is null
      ${stands}`,
    values: columnsOf(keys),
  });
  return rows.map(standingFrom);
}

/** Up to `limit` booked transfers with the wallet on any side, by id, after one of them. */
export async function standingWith(
  tx: Sql,
  { network, address }: { network: string; address: string },
  { after, limit }: { after: string | null; limit: number },
): Promise<readonly BookedStanding[]> {
  const rows = await tx.query<StandingRow>({
    text: `${standing}
      from (select * from billing.chain_transfer
        where network = $1 and $2 in (pay_to, from_address, to_address, sender) and orphaned_at is null
          and ($3::uuid is null or id > $3)
        order by id limit $4) as t
      ${stands}`,
    values: [network, address, after, limit],
  });
  return rows.map(standingFrom);
}

/** Those among the transfers that stand elsewhere than entries and wallets say by now, as what moves them there. */
export async function findReclaimed(
  tx: Sql,
  transfers: readonly BookedStanding[],
  claims: ReadonlyMap<string, Claim>,
): Promise<readonly Reclaimed[]> {
  const known = new Map<string, Awaited<ReturnType<typeof readKnown>>>();
  for (const network of new Set(transfers.map((transfer) => transfer.network))) {
    known.set(network, await readKnown(tx, network, transfers));
  }
  const refunds = await findRefunds(tx, transfers);
  return transfers.flatMap((transfer) => {
    const { id, network, value, blockTime, credited, debited, moves, key } = transfer;
    const nature = natureOf(transfer, { known: known.get(network) ?? new Map(), isRefund: refunds.has(id) });
    const sided = { ...transfer, claim: (key && claims.get(keyName(key))) ?? 'none', nature } as const;
    const moved: Reclaimed[] = [];
    const source = sourceOf(sided);
    if (credited !== null && credited.code !== source.code) {
      moved.push({ id, value, blockTime, debit: credited, credit: source, moves });
    }
    const destination = destinationOf(sided);
    if (debited !== null && debited.code !== destination.code) {
      moved.push({ id, value, blockTime, debit: destination, credit: debited, moves: moves + moved.length });
    }
    return moved;
  });
}

function standingFrom(row: StandingRow): BookedStanding {
  const { network, asset, payer, nonce } = row;
  return {
    id: row.id,
    network,
    asset: codeOf(row),
    key: payer === null || nonce === null ? null : { network, asset, payer, nonce },
    value: BigInt(row.value),
    blockTime: row.block_time,
    payTo: row.pay_to,
    from: row.from_address,
    to: row.to_address,
    sender: row.sender,
    dust: row.dust,
    credited: row.credited,
    debited: row.debited,
    moves: row.moves,
  };
}
