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

/**
 * Whether a journal and its reversal are of one month: a block that was read and then gone is no movement of the
 * wallet, whoever has seen it. When a month was locked between the two both stay.
 */
const isUndone = `exists (
    select 1 from billing.journal u
    where (u.reverses = j.id or u.id = j.reverses)
      and date_trunc('month', u.effective_at, 'UTC') = date_trunc('month', j.effective_at, 'UTC'))`;

/**
 * Each line of a wallet up to the end of the month, $2. Its kind is what the books know of it by then: a transfer that
 * an entry or a named wallet has explained since has the kind of that.
 */
const walletLines = `
  select w.account, coalesce(k.kind, j.kind) as kind, j.effective_at as at, p.amount
  from wallets w
  join billing.ledger_line p on p.account = w.account
  join billing.journal j on j.id = p.journal_id
  left join known k on k.source = j.source and (p.amount > 0) = (k.side = 'in') and j.kind <> 'reversal'
  where j.effective_at < $2 and not ${isUndone}`;

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
      lines as (${walletLines}),
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
        select w.account, 1 as place, 'opening' as item, null::text as kind, count(l.at) as count,
          coalesce(sum(l.amount), 0) as amount
        from wallets w left join lines l on l.account = w.account and l.at < $1 group by 1
        union all
        select account, 2, 'movement', kind, count(*), sum(amount) from lines where at >= $1 group by account, kind
        union all
        select w.account, 3, 'closing', null, count(l.at), coalesce(sum(l.amount), 0)
        from wallets w left join lines l on l.account = w.account group by 1
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
