import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import type { WalletKind } from './wallet.entity.js';

/** A wallet that is known. */
export interface KnownWallet {
  readonly network: string;
  /** Lower-case. */
  readonly address: string;
  readonly kind: WalletKind;
  readonly label: string;
  readonly since: Date;
  readonly addedBy: string | null;
  readonly addedAt: Date;
  /** Whether all that was booked before stands where it belongs by now. */
  readonly applied: boolean;
}

/** What an operator says of a wallet. */
export type WalletGiven = Pick<KnownWallet, 'address' | 'kind' | 'label' | 'since'>;

const columns = `network, address, kind, label, since, added_by as "addedBy", added_at as "addedAt", applied`;
const ours: ReadonlySet<WalletKind> = new Set(['till', 'treasury', 'settler']);

/** Whether wallets of the kind are ours. */
export function isOurs(kind: WalletKind): boolean {
  return ours.has(kind);
}

/** By address; one more than `limit`, where there are so many. */
export async function listWallets(
  sql: Sql,
  network: string,
  { after, limit, kind }: { after: string | null; limit: number; kind?: WalletKind | undefined },
): Promise<readonly KnownWallet[]> {
  return sql.query<KnownWallet>({
    text: `select ${columns} from billing.wallet
      where network = $1 and ($2::text is null or address > $2) and ($4::text is null or kind = $4)
      order by address limit $3`,
    values: [network, after, limit + 1, kind ?? null],
  });
}

/** 404 `wallet/not-found`. `lock`: nobody else changes it until the caller's transaction ends. */
export async function findWallet(
  sql: Sql,
  network: string,
  { address, lock = false }: { address: string; lock?: boolean },
): Promise<KnownWallet> {
  const [row] = await sql.query<KnownWallet>({
    text: `select ${columns} from billing.wallet where network = $1 and address = $2${lock ? ' for update' : ''}`,
    values: [network, address.toLowerCase()],
  });
  if (row === undefined) throw new Problem('wallet/not-found');
  return row;
}

/** 409 `wallet/conflict` for one that is known, or that a customer pays invoices from. */
export async function addWallet(
  tx: Sql,
  network: string,
  { given, by, at }: { given: WalletGiven; by: string; at: Date },
): Promise<KnownWallet> {
  const address = given.address.toLowerCase();
  await lockWallets(tx);
  const taken = await tx.query({
    text: 'select 1 from billing.customer_wallet where address = $1',
    values: [address],
  });
  if (taken.length > 0) throw new Problem('wallet/conflict', 'A customer pays invoices from this wallet.');
  const added = await tx.query({
    text: `insert into billing.wallet (network, address, kind, label, since, added_by, added_at, applied)
      values ($1, $2, $3, $4, $5, $6, $7, false) on conflict do nothing returning address`,
    values: [network, address, given.kind, given.label, given.since, by, at],
  });
  if (added.length === 0) throw new Problem('wallet/conflict', 'The wallet is known.');
  return findWallet(tx, network, { address });
}

/** Nobody names a wallet until the caller's transaction ends, neither as one of ours nor as a customer's. */
export async function lockWallets(tx: Sql): Promise<void> {
  await tx.query({ text: 'lock table billing.wallet in share row exclusive mode' });
}

/** Changes what `findWallet` locked. What was booked before is looked at again where its kind or time is another. */
export async function changeWallet(
  tx: Sql,
  found: KnownWallet,
  {
    kind = found.kind,
    label = found.label,
    since = found.since,
  }: { kind?: WalletKind | undefined; label?: string | undefined; since?: Date | undefined },
): Promise<KnownWallet> {
  const isSame = kind === found.kind && since.getTime() === found.since.getTime();
  await tx.query({
    text: `update billing.wallet set kind = $3, label = $4, since = $5, applied = applied and $6,
        applied_up_to = case when $6 then applied_up_to end
      where network = $1 and address = $2`,
    values: [found.network, found.address, kind, label, since, isSame],
  });
  return findWallet(tx, found.network, { address: found.address });
}

/** The wallets of the configuration are ours for as long as there are books. */
export async function keepTills(
  sql: Sql,
  network: string,
  { addresses, at }: { addresses: readonly string[]; at: Date },
): Promise<void> {
  await sql.query({
    name: 'billing_keep_tills',
    text: `insert into billing.wallet (network, address, kind, label, since, added_at, applied)
      select $1, address, 'till', 'Till', timestamptz 'epoch', $3, false from unnest($2::text[]) as given (address)
      where not exists (select 1 from billing.wallet w where w.network = $1 and w.address = given.address)
      on conflict do nothing`,
    values: [network, addresses, at],
  });
}

/** Those among the addresses that are known, by their address. */
export async function knownAmong(
  sql: Sql,
  network: string,
  addresses: readonly string[],
): Promise<ReadonlyMap<string, Pick<KnownWallet, 'kind' | 'since'>>> {
  const rows = await sql.query<Pick<KnownWallet, 'address' | 'kind' | 'since'>>({
    name: 'billing_known_wallets',
    text: 'select address, kind, since from billing.wallet where network = $1 and address = any($2::text[])',
    values: [network, [...new Set(addresses)]],
  });
  return new Map(rows.map(({ address, ...rest }) => [address, rest]));
}

/** A wallet of which transfers that were booked before have still to be looked at. */
export interface UnappliedWallet {
  readonly network: string;
  readonly address: string;
  readonly appliedUpTo: string | null;
}

/** The first of them; null where there is none. */
export async function nextUnapplied(
  sql: Sql,
  network: string,
  { lock = false }: { lock?: boolean } = {},
): Promise<UnappliedWallet | null> {
  const [row] = await sql.query<UnappliedWallet>({
    text: `select network, address, applied_up_to as "appliedUpTo" from billing.wallet
      where network = $1 and not applied order by address limit 1 ${lock ? 'for update' : ''}`,
    values: [network],
  });
  return row ?? null;
}

/** The wallet's transfers were looked at, up to one of them or, with null, all. */
export async function markApplied(
  tx: Sql,
  { network, address }: UnappliedWallet,
  { upTo }: { upTo: string | null },
): Promise<void> {
  await tx.query({
    text: `update billing.wallet set applied = $3::uuid is null, applied_up_to = $3 where network = $1 and address = $2`,
    values: [network, address, upTo],
  });
}
