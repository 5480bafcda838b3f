import type { Sql } from '@keyfare/db/sql';
import { deriveId } from '../derive-id.js';
import { explainedSql } from '../explained.sql.js';
import { codeOf } from '../token.js';

/** What names a payment on the chain. */
export interface MatchKey {
  readonly network: string;
  readonly asset: string;
  readonly payer: string;
  readonly nonce: string;
}

/** What the log as a whole says of a payment. */
export interface Recorded {
  /** The first entry that brought it in. */
  readonly entryId: string;
  readonly amount: bigint;
  /** Whether money has moved for it. */
  readonly moved: boolean;
  /** Whether no money is expected any more, and nothing was lost by that. */
  readonly void: boolean;
  /** Whether another entry brings in the same payment. */
  readonly repeated: boolean;
}

interface Transfer {
  readonly id: string;
  readonly value: bigint;
  readonly final: boolean;
  /** Whether it needs no entry. */
  readonly explained: boolean;
}

interface LiveMatch {
  readonly id: string;
  readonly entry_id: string;
  readonly transfer_id: string;
  readonly amount: string;
}

interface Wanted {
  readonly entryId: string;
  readonly transfer: Transfer;
  readonly asset: string;
  readonly amount: bigint;
}

const rule = 'authorization';

const keyed = `unnest($1::text[], $2::text[], $3::text[], $4::text[]) as key (network, asset, payer, nonce)`;

/**
 * Brings the matches of these payments to what entries and transfers say by now, and keeps which of them are open. In
 * the transaction that wrote either side, by whoever holds the turn for the books. The first entry of a payment and its
 * first transfer are matched, by the smaller amount; a second entry or transfer is never matched.
 */
export async function matchPayments(
  tx: Sql,
  keys: readonly MatchKey[],
  { recorded, now }: { recorded: (key: MatchKey) => Recorded | undefined; now: Date },
): Promise<void> {
  const sides = [...new Map(keys.map((key) => [nameOf(key), key])).values()].map((key) => ({
    key,
    entry: recorded(key),
  }));
  if (sides.length === 0) return;
  const transfers = await readTransfers(
    tx,
    sides.map(({ key }) => key),
  );
  const found = sides.map((side) => ({ ...side, transfers: transfers.get(nameOf(side.key)) ?? [] }));
  const live = await readLive(
    tx,
    sides.flatMap(({ entry }) => entry?.entryId ?? []),
  );
  const wanted = found.flatMap(wantedOf);
  const right = new Set(wanted.map(pairOf));
  const stale = live.filter((match) => !right.has(storedPair(match)));
  await undo(tx, stale, {
    now,
    whyOf: (match) => {
      const side = found.find(({ entry }) => entry?.entryId === match.entry_id);
      if (!side?.transfers.some(({ id }) => id === match.transfer_id)) return 'the block of the transfer is gone';
      return side.entry?.moved === true ? 'another transfer or amount is the right one' : 'the payment was taken back';
    },
  });
  const kept = new Set(live.map(storedPair));
  await insert(
    tx,
    wanted.filter((match) => !kept.has(pairOf(match))),
    now,
  );
  await keepOpen(tx, found);
}

/**
 * The matches of a wallet follow its finality: `final` up to its last final block. Asks for those that are not final
 * yet, and for those above that block, whatever the length of the history.
 */
export async function moveFinality(tx: Sql, watch: string, now: Date): Promise<void> {
  await tx.query({
    name: 'billing_match_finality',
    text: `
      with moved as (
        select m.id, 'final' as state
        from billing.match m join billing.chain_transfer t on t.id = m.transfer_id
        join billing.chain_cursor c on c.watch = t.watch
        where m.state = 'provisional' and t.watch = $1 and t.block_number <= c.finalized_number
        union all
        -- Only a chain that may lose blocks takes back what it called final.
        select m.id, 'provisional'
        from billing.chain_cursor c join billing.chain_transfer t on t.watch = c.watch
          and t.block_number > c.finalized_number
        join billing.match m on m.transfer_id = t.id and m.state = 'final'
        where c.watch = $1)
      update billing.match m set state = moved.state, final_at = case moved.state when 'final' then $2::timestamptz end
      from moved where m.id = moved.id`,
    values: [watch, now],
  });
}

interface Found {
  readonly key: MatchKey;
  readonly entry: Recorded | undefined;
  readonly transfers: readonly Transfer[];
}

function wantedOf({ key, entry, transfers: [transfer] }: Found): readonly Wanted[] {
  if (entry === undefined || transfer === undefined || !entry.moved) return [];
  const amount = entry.amount < transfer.value ? entry.amount : transfer.value;
  // A payment of nothing has nothing to match.
  return amount === 0n ? [] : [{ entryId: entry.entryId, transfer, asset: codeOf(key), amount }];
}

function isOpen({ entry, transfers }: Found): boolean {
  const [transfer, second] = transfers;
  if (second !== undefined || entry?.repeated === true) return true;
  if (transfer === undefined) return entry !== undefined && !entry.void;
  if (entry === undefined) return !transfer.explained;
  return !entry.moved || entry.amount !== transfer.value;
}

/** The transfers to us that were made by these authorizations, the first of each first. */
async function readTransfers(tx: Sql, keys: readonly MatchKey[]): Promise<ReadonlyMap<string, readonly Transfer[]>> {
  const rows = await tx.query<MatchKey & { id: string; value: string; final: boolean | null; explained: boolean }>({
    name: 'billing_match_transfers',
    text: `select key.*, t.id, t.value, t.block_number <= c.finalized_number as final, ${explainedSql('t')} as explained
      from ${keyed}
      join billing.chain_transfer t on t.network = key.network and t.asset = key.asset and t.authorizer = key.payer
        and t.nonce = key.nonce and t.orphaned_at is null and t.to_address = t.pay_to
      left join billing.chain_cursor c on c.watch = t.watch
      order by t.block_number, t.log_index, t.id`,
    values: columnsOf(keys),
  });
  const transfers = new Map<string, Transfer[]>();
  for (const row of rows) {
    const transfer = { id: row.id, value: BigInt(row.value), final: row.final ?? false, explained: row.explained };
    const name = nameOf(row);
    transfers.set(name, [...(transfers.get(name) ?? []), transfer]);
  }
  return transfers;
}

async function readLive(tx: Sql, entries: readonly string[]): Promise<readonly LiveMatch[]> {
  if (entries.length === 0) return [];
  return tx.query<LiveMatch>({
    name: 'billing_match_live',
    text: `select id, entry_id, transfer_id, amount from billing.match
      where entry_id = any($1::uuid[]) and state <> 'undone' and rule = $2`,
    values: [entries, rule],
  });
}

async function undo(
  tx: Sql,
  matches: readonly LiveMatch[],
  { now, whyOf }: { now: Date; whyOf: (match: LiveMatch) => string },
): Promise<void> {
  if (matches.length === 0) return;
  await tx.query({
    name: 'billing_match_undo',
    text: `update billing.match m set state = 'undone', undone_at = $3, why = given.why
      from unnest($1::uuid[], $2::text[]) as given (id, why) where m.id = given.id`,
    values: [matches.map(({ id }) => id), matches.map(whyOf), now],
  });
}

async function insert(tx: Sql, wanted: readonly Wanted[], now: Date): Promise<void> {
  if (wanted.length === 0) return;
  // A pair that is matched again is another match.
  const before = await tx.query<{ entry_id: string; transfer_id: string; matches: number }>({
    name: 'billing_match_before',
    text: `select entry_id, transfer_id, count(*)::int as matches from billing.match
      where entry_id = any($1::uuid[]) group by entry_id, transfer_id`,
    values: [wanted.map(({ entryId }) => entryId)],
  });
  const times = new Map(before.map((row) => [`${row.entry_id}/${row.transfer_id}`, row.matches]));
  await tx.query({
    name: 'billing_match_insert',
    text: `insert into billing.match (id, entry_id, transfer_id, asset, amount, state, final_at, rule, matched_at)
      select id, entry_id, transfer_id, asset, amount, case when final then 'final' else 'provisional' end,
        case when final then $8::timestamptz end, $7, $8
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::numeric[], $6::boolean[])
        as given (id, entry_id, transfer_id, asset, amount, final)`,
    values: [
      wanted.map(({ entryId, transfer }) => {
        const pair = `${entryId}/${transfer.id}`;
        return deriveId(`match:${pair}/${times.get(pair) ?? 0}`);
      }),
      wanted.map(({ entryId }) => entryId),
      wanted.map(({ transfer }) => transfer.id),
      wanted.map(({ asset }) => asset),
      wanted.map(({ amount }) => amount.toString()),
      wanted.map(({ transfer }) => transfer.final),
      rule,
      now,
    ],
  });
}

async function keepOpen(tx: Sql, found: readonly Found[]): Promise<void> {
  await tx.query({
    name: 'billing_match_open',
    text: `
      with given as (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[])
          as given (network, asset, payer, nonce, open)),
      closed as (
        delete from billing.open_payment o using given g
        where not g.open and (o.network, o.asset, o.payer, o.nonce) = (g.network, g.asset, g.payer, g.nonce))
      insert into billing.open_payment (network, asset, payer, nonce)
      select network, asset, payer, nonce from given where open on conflict do nothing`,
    values: [...columnsOf(found.map(({ key }) => key)), found.map(isOpen)],
  });
}

function pairOf({ entryId, transfer, amount }: Wanted): string {
  return `${entryId}/${transfer.id}/${amount}`;
}

function storedPair({ entry_id: entry, transfer_id: transfer, amount }: LiveMatch): string {
  return `${entry}/${transfer}/${amount}`;
}

function nameOf({ network, asset, payer, nonce }: MatchKey): string {
  return `${network}/${asset}/${payer}/${nonce}`;
}

function columnsOf(keys: readonly MatchKey[]): readonly string[][] {
  return [
    keys.map(({ network }) => network),
    keys.map(({ asset }) => asset),
    keys.map(({ payer }) => payer),
    keys.map(({ nonce }) => nonce),
  ];
}
