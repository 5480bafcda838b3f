import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { formatMoney, type LedgerAssetCode, money } from '@keyfare/core/money';
import type { Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';

/** How many of something, and what they come to as a decimal. */
export interface Counted {
  readonly count: string;
  readonly amount: string;
}

/** A wallet's month. `opening`, the movements and nothing else come to `closing`. */
export interface WalletMonth {
  readonly network: string;
  readonly wallet: string;
  readonly asset: LedgerAssetCode;
  readonly opening: string;
  /** What went in less what went out, by the kinds of journals. */
  readonly movements: readonly (Counted & { readonly kind: string })[];
  readonly closing: string;
  /** What is open now of what happened in the month. */
  readonly unexplained: Counted;
  /** The same of what happened up to its end. */
  readonly carriedForward: Counted;
}

interface Figure {
  readonly network: string;
  readonly wallet: string;
  readonly asset: LedgerAssetCode;
  readonly item: 'opening' | 'movement' | 'closing' | 'unexplained' | 'carried-forward';
  readonly kind: string | null;
  readonly count: string;
  readonly amount: string;
}

/** The lines of wallets in the month, each by the journal that wrote it; `j` is the journal. */
const linesOf = (journals: string): string => `
  select j.id, j.source, j.kind, p.account, p.amount
  from ${journals} as j join billing.ledger_line p on p.journal_id = j.id join wallets w on w.account = p.account`;

/**
 * Journals of the month whose reversal is of the month too: a block that was read and then gone is no movement of the
 * wallet, whoever has seen it. When a month was locked between the two both stay.
 */
const undone = linesOf(`(
  select * from billing.journal where id in (
    select unnest(array[r.id, o.id]) from billing.journal r join billing.journal o on o.id = r.reverses
    where r.reverses is not null and r.effective_at >= $1 and r.effective_at < $2
      and o.effective_at >= $1 and o.effective_at < $2))`);

/** Journals of the month whose transfers are known by its end to be something else than was booked at first. */
const renamed = `
  select known.kind as known, l.*
  from known cross join lateral (${linesOf(`(
    select * from billing.journal j
    where j.source = known.source and j.effective_at >= $1 and j.effective_at < $2
      and j.kind <> 'reversal')`)}) as l
  where known.kind is not null and (l.amount > 0) = (known.side = 'in') and l.id not in (select id from undone)`;

/** What each wallet's month came to by kinds of journals: the sums by day, put right by what is undone or renamed. */
const movements = `
  select account, kind, sum(count) as count, sum(amount) as amount
  from (
    select d.account, d.kind, d.lines as count, d.amount
    from billing.wallet_day d join wallets w on w.account = d.account
    where d.day >= ($1::timestamptz at time zone 'utc')::date and d.day < ($2::timestamptz at time zone 'utc')::date
    union all
    select account, kind, -1, -amount from undone
    union all
    select account, kind, -1, -amount from renamed
    union all
    select account, known, 1, amount from renamed) as parts
  group by account, kind having sum(count) > 0`;

const balanceAt = (moment: string): string => `coalesce((
  select sum(d.debits - d.credits) from billing.balance_day d
  where d.account = w.account and d.day < (${moment}::timestamptz at time zone 'utc')::date), 0)`;

/**
 * What transfers are known to be that were booked as something else at first: by the account that their last
 * identification moved them to. One in is moved by a credit to it, one out by a debit.
 */
const identified = `
  select distinct on (source, side) source, side, case split_part(split_part(account, ':', 1), '-', 1)
      when 'x402' then 'settlement' when 'deferred' then 'collection' when 'unidentified' then 'unidentified'
      when 'treasury' then 'withdrawal' when 'in' then 'sweep' when 'other' then 'other-service'
      when 'dust' then 'dust' when 'refunds' then 'refund' when 'opening' then 'opening' end as kind
  from (
    select j.source, m.credit as account, 'in' as side, j.booked_at, j.id
    from billing.journal j join billing.movement m on m.journal_id = j.id
    where j.kind = 'identification' and j.effective_at < $2
    union all
    select j.source, m.debit, 'out', j.booked_at, j.id
    from billing.journal j join billing.movement m on m.journal_id = j.id
    where j.kind = 'identification' and j.effective_at < $2) as moved
  order by source, side, booked_at desc, id`;

/** The wallets of the books in a month, as one statement and so one moment sees them. */
export async function readWallets(sql: Sql, { start, end }: Period): Promise<readonly WalletMonth[]> {
  const figures = await sql.query<Figure>({
    text: `
      with wallets as (
        select code as account, asset, split_part(code, ':', 2) || ':' || split_part(code, ':', 3) as network,
          split_part(code, ':', 4) as wallet
        from billing.ledger_account where type = 'asset' and code like lower(asset) || ':%'),
      known as (${identified}),
      undone as materialized (${undone}),
      renamed as materialized (${renamed}),
      open as (
        select w.account, coalesce(b.amount, 0) as amount, coalesce(b.happened_at, b.first_seen) as at
        from billing.break b join wallets w on w.asset = b.asset and w.network = b.keys->>'network'
        where b.status = 'open' and (w.wallet in (b.keys->>'to', b.keys->>'wallet') or exists (
            select 1 from billing.payment p
            where (p.network, p.asset, p.payer, p.nonce) =
                (b.keys->>'network', b.keys->>'asset', b.keys->>'payer', b.keys->>'nonce') and p.pay_to = w.wallet)
          or exists (
            select 1 from billing.chain_transfer t
            where (t.network, t.asset, t.authorizer, t.nonce) =
                (b.keys->>'network', b.keys->>'asset', b.keys->>'payer', b.keys->>'nonce') and t.pay_to = w.wallet))),
      figures as (
        select w.account, 1 as place, 'opening' as item, null::text as kind, 0 as count, ${balanceAt('$1')} as amount
        from wallets w
        union all
        select account, 2, 'movement', kind, count, amount from (${movements}) as moved
        union all
        select w.account, 3, 'closing', null, 0, ${balanceAt('$2')} from wallets w
        union all
        select w.account, 4, 'unexplained', null, count(o.at), coalesce(sum(o.amount), 0)
        from wallets w left join open o on o.account = w.account and o.at >= $1 and o.at < $2 group by 1
        union all
        select w.account, 5, 'carried-forward', null, count(o.at), coalesce(sum(o.amount), 0)
        from wallets w left join open o on o.account = w.account and o.at < $2 group by 1)
      select w.network, w.wallet, w.asset, f.item, f.kind, f.count::text as count, f.amount::text as amount
      from figures f join wallets w using (account) order by account, place, kind`,
    values: [start, end],
  });
  return walletsOf(figures);
}

/** SHA-256 of the figures in canonical JSON: the same figures give the same. */
export function digestOf(month: string, wallets: readonly WalletMonth[]): string {
  return createHash('sha256').update(canonicalJson({ month, wallets })).digest('hex');
}

function walletsOf(figures: readonly Figure[]): readonly WalletMonth[] {
  const names = new Set(figures.map(nameOf));
  return [...names].map((name) => {
    const own = figures.filter((figure) => nameOf(figure) === name);
    const only = (item: Figure['item']): Figure => {
      const figure = own.find((each) => each.item === item);
      if (figure === undefined) throw new TypeError(`a wallet has no ${item}`);
      return figure;
    };
    const { network, wallet, asset } = only('opening');
    return {
      network,
      wallet,
      asset,
      opening: decimalOf(only('opening')),
      movements: own
        .filter(({ item }) => item === 'movement')
        .map((figure) => ({ kind: figure.kind ?? '', count: figure.count, amount: decimalOf(figure) })),
      closing: decimalOf(only('closing')),
      unexplained: countedOf(only('unexplained')),
      carriedForward: countedOf(only('carried-forward')),
    };
  });
}

function nameOf({ network, wallet, asset }: Figure): string {
  return `${network}/${wallet}/${asset}`;
}

function countedOf(figure: Figure): Counted {
  return { count: figure.count, amount: decimalOf(figure) };
}

function decimalOf({ asset, amount }: Figure): string {
  return formatMoney(money(asset, BigInt(amount)));
}
