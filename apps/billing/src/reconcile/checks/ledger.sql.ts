import type { Sql } from '@keyfare/db/sql';
import { codeSql, suffixSql } from '../../token.js';
import { expectedBank } from './bank.sql.js';
import { expectedInvoices } from './billed.sql.js';
import type { Check } from './check.js';
import { expectedGas } from './gas.sql.js';
import { expectedResolutions } from './resolutions.sql.js';

const ledgerName = 'ledger';
const ledgerClasses = ['entry-unposted', 'posting-without-entry', 'ledger-mismatch'] as const;

/**
 * The whole ledger, account by account: what each charge, transfer and opening should come to against what the journals
 * of that source come to. A difference has no place to hide, for every journal has a source.
 */
export function checkLedger(): Check {
  return {
    name: ledgerName,
    classes: ledgerClasses,
    text: `
      with ${paymentLives},
      ${movedByDay},
      expected as (
        ${chargePostings}
        union all ${otherPostings}),
      should as (
        select source, account, asset, sum(amount) as amount from expected group by 1, 2, 3 having sum(amount) <> 0),
      have as (
        select j.source, p.account, p.asset, sum(p.amount) as amount
        from billing.journal j join billing.ledger_line p on p.journal_id = j.id
        group by 1, 2, 3 having sum(p.amount) <> 0),
      different as (
        select source, max(coalesce(h.asset, s.asset)) as asset,
          max(abs(coalesce(h.amount, 0) - coalesce(s.amount, 0))) as amount,
          count(s.account) as wanted, count(h.account) as written
        from should s full join have h using (source, account)
        where h.amount is distinct from s.amount or h.asset is distinct from s.asset
        group by source)
      select case
          when written = 0 and split_part(source, ':', 1) <> all (array['transfer', 'opening', 'gas']) then 'entry-unposted'
          when wanted = 0 and not exists (select 1 from expected e where e.source = d.source)
            then 'posting-without-entry'
          else 'ledger-mismatch' end as class,
        source as subject, jsonb_build_object('source', source) as keys, asset, amount,
        case when written = 0 then 'receipt' else 'ledger' end as side,
        case when written = 0 then 'The ledger has no journal of it.'
          when wanted = 0 then 'The ledger has a journal of it that nothing explains.'
          else 'The journals of it do not come to what they should.' end as detail
      from different d
      union all ${wrongBalances}
      union all ${wrongDates}`,
    values: [],
  };
}

/** What movements come to by account and day: read once, for all that is compared with it. */
const movedByDay = `
  moved as materialized (
    select account, asset, (effective_at at time zone 'UTC')::date as day,
      coalesce(sum(amount) filter (where amount > 0), 0) as debits,
      coalesce(-sum(amount) filter (where amount < 0), 0) as credits
    from billing.ledger_line group by 1, 2, 3)`;

/** Balances, of all and by day, that are not what the movements come to. */
const wrongBalances = `
  select 'ledger-mismatch', 'balance:' || account, jsonb_build_object('account', account), max(asset), max(off), 'ledger',
    'The balance of a ledger account is not what its movements come to.'
  from (
    select account, asset, greatest(abs(coalesce(b.debits, 0) - coalesce(m.debits, 0)),
        abs(coalesce(b.credits, 0) - coalesce(m.credits, 0))) as off
    from billing.balance b
    full join (
      select account, asset, sum(debits) as debits, sum(credits) as credits from moved group by account, asset
    ) as m using (account, asset)
    union all
    select account, (select a.asset from billing.ledger_account a where a.code = account),
      greatest(abs(coalesce(b.debits, 0) - coalesce(m.debits, 0)), abs(coalesce(b.credits, 0) - coalesce(m.credits, 0)))
    from billing.balance_day b
    full join (
      select account, day, sum(debits) as debits, sum(credits) as credits from moved group by account, day
    ) as m using (account, day)
  ) as compared
  where off > 0 group by account`;

/** A journal has the date on which it happened, or the first instant of a later month. */
const wrongDates = `
  select 'ledger-mismatch', 'date:' || id, jsonb_build_object('journal', id, 'source', source), null::text, null::numeric,
    'ledger', 'The date of a journal is neither when it happened nor the start of a later month.'
  from billing.journal
  where effective_at <> occurred_at and (effective_at < occurred_at
    or effective_at <> date_trunc('month', effective_at, 'UTC'))`;

/**
 * Whether the whole ledger has to be read source by source: an account does not come to what all sources together come
 * to, a balance or a date is wrong, or something was found there before. Adding up by account costs a fraction of that.
 * Of charges their sums by day are taken, which a full run proves, and what they are sums of is proven by its totals.
 */
export async function needsLedger(tx: Sql): Promise<boolean> {
  // Sums over all movements by account and day: with less memory, PostgreSQL sorts their rows on disk.
  await tx.query({ text: `set local work_mem = '64MB'` });
  const [row] = await tx.query<{ needed: boolean }>({
    text: `
      with ${paymentLives},
      ${movedByDay},
      should as (
        select account, asset, sum(amount) as amount from (${chargeSums} union all ${otherPostings}) as expected
        group by 1, 2 having sum(amount) <> 0),
      have as (
        select account, asset, sum(debits - credits) as amount from moved group by 1, 2
        having sum(debits - credits) <> 0)
      select exists (
          select 1 from should s full join have h using (account, asset) where h.amount is distinct from s.amount)
        or exists (
          select 1 from billing.break where present and (check_name = $1 or check_name is null and class = any($2::text[])))
        or exists (${wrongBalances})
        or exists (${wrongDates})
        as needed`,
    values: [ledgerName, ledgerClasses],
  });
  await tx.query({ text: 'set local work_mem to default' });
  return row?.needed ?? true;
}

/**
 * What became of each payment, worked out from the rows alone: `turns` are the entries that changed what the ledger
 * holds of it, `claims` says which receivable a transfer of it clears, if any.
 */
const paymentLives = `
  turns as (
    select l.*, b.outcome as base, b.sku as base_sku, case
        when l.outcome = 'unpaid' and b.outcome = 'deferred' then 'write-off'
        when l.outcome = 'reversed' and b.outcome <> 'deferred' then 'dropped'
        when l.outcome = 'settlement' and b.outcome <> 'deferred' and l.before = 'reversed' then 'restored' end as turn
    from (
      select *, lag(outcome) over (partition by call_id order by place) as before
      from billing.payment where call_id is not null) as l
    join billing.payment b on b.entry_id = l.call_id),
  claims as materialized (
    select network, asset, payer, nonce, case
        when base = 'deferred' then case when last = 'unpaid' then null else 'deferred-receivable' end
        when last in ('reversed', 'unpaid') then null
        else 'x402-receivable' end as receivable
    from (
      select distinct on (network, asset, payer, nonce) b.network, b.asset, b.payer, b.nonce, b.outcome as base, (
          select l.outcome from billing.payment l where l.call_id = b.entry_id order by l.place desc limit 1) as last
      from billing.payment b where b.outcome in ('settled', 'deferred', 'refund-due')
      order by network, asset, payer, nonce, place) as known),
  refunds as materialized (
    select network, asset, payer, amount, '0x' || encode(sha256(convert_to('keyfare-refund:' || entry_id, 'UTF8')), 'hex')
      as nonce
    from billing.payment where outcome = 'refund-due')`;

/**
 * The rules of `ledger/flows.ts` once more, written apart from them: the ledger is not checked by what wrote it. A
 * source that comes to nothing is in it too, with zeros: it is known, and explains no posting.
 */
const chargePostings = `
  select 'call:' || c.entry_id as source,
    case when c.rail = 'key' then 'unbilled-receivable:' || c.account
      when p.outcome = 'deferred' then 'deferred-receivable' || ${suffixSql('c.asset')} || ':' || p.network
      else 'x402-receivable' || ${suffixSql('c.asset')} || ':' || p.network end as account,
    c.asset, c.amount
  from billing.charge c left join billing.payment p on p.entry_id = c.entry_id
  union all
  select 'call:' || entry_id, 'revenue' || case rail when 'x402' then ${suffixSql('asset')} else '' end || ':' || rail
    || ':' || sku, asset, -amount from billing.charge`;

/** What `chargePostings` come to by account. The receivable of a paid call is that of its payment. */
const chargeSums = `
  select ''::text as source, 'unbilled-receivable:' || account as account, asset, amount
  from billing.charge_day where rail = 'key'
  union all
  select '', case outcome when 'deferred' then 'deferred-receivable' else 'x402-receivable' end || ${suffixSql('code')}
    || ':' || network, code, amount
  from (
    select outcome, network, ${codeSql('asset')} as code, sum(amount) as amount from billing.payment
    where outcome in ('settled', 'deferred') group by 1, 2, 3) as p
  union all
  select '', 'revenue' || case rail when 'x402' then ${suffixSql('asset')} else '' end || ':' || rail || ':' || sku, asset,
    -amount
  from billing.charge_day`;

/**
 * Of each transfer the accounts that it may stand on, and what it moves. `offset 0` keeps them apart from the VALUES
 * that read them: PostgreSQL prepares the expressions of VALUES anew for each row, these for 0.18 ms.
 */
const transferAccounts = `
  select t.id, t.code, t.pay_to, t.from_address, t.to_address,
    case when t.orphaned_at is null and (t.from_address <> t.to_address or t.authorizer is not null)
      then t.value else 0 end as value,
    lower(t.code) || ':' || t.network || ':' || t.pay_to as wallet,
    coalesce(c.receivable || ${suffixSql('t.code')} || ':' || t.network, nature.account,
      'unidentified-receipts' || ${suffixSql('t.code')}) as came_from,
    coalesce(case when c.receivable is null then nature.account end,
      'treasury-out' || ${suffixSql('t.code')}) as went_to
  from (select *, ${codeSql('asset')} as code, from_address <> to_address as moves,
      case to_address when pay_to then from_address else to_address end as other from billing.chain_transfer) as t
  left join claims c on (c.network, c.asset, c.payer, c.nonce) = (t.network, t.asset, t.authorizer, t.nonce)
  left join billing.wallet own on own.network = t.network and own.address = t.pay_to
    and (own.since > t.block_time or own.kind not in ('till', 'treasury', 'settler'))
  left join billing.wallet o on o.network = t.network and o.address = t.other and o.since <= t.block_time and t.moves
  left join billing.wallet s on s.network = t.network and s.address = t.sender and s.since <= t.block_time and t.moves
    and s.kind = 'service' and t.to_address = t.pay_to
  left join refunds r on (r.network, r.asset, r.nonce) = (t.network, t.asset, t.nonce) and r.payer = t.to_address
    and r.amount = t.value and t.authorizer = t.pay_to and t.moves
  cross join lateral (select case
      when own.kind is not null then 'opening-balance' || ${suffixSql('t.code')}
      when r.nonce is not null then 'refunds-due' || ${suffixSql('t.code')}
      when o.kind in ('till', 'treasury', 'settler') then 'in-transit' || ${suffixSql('t.code')} || ':' || t.network
      when o.kind = 'service' then 'other-service' || ${suffixSql('t.code')} || ':' || t.network || ':' || o.address
      when s.kind = 'service' then 'other-service' || ${suffixSql('t.code')} || ':' || t.network || ':' || s.address
      when t.dust and t.moves and t.to_address = t.pay_to then 'dust' || ${suffixSql('t.code')} || ':' || t.network
      end as account) as nature
  offset 0`;

/** What is posted of all else. */
const otherPostings = `
  select 'refund-due:' || entry_id, line.account, code, line.sign * amount
  from (select *, ${codeSql('asset')} as code from billing.payment) as p
  cross join lateral (values
    ('x402-receivable' || ${suffixSql('code')} || ':' || network, 1),
    ('refunds-due' || ${suffixSql('code')}, -1)) as line (account, sign)
  where outcome = 'refund-due'
  union all
  select outcome || ':' || entry_id, line.account, code, line.sign * amount
  from (select *, ${codeSql('asset')} as code from turns) as t
  cross join lateral (values
    (case turn when 'write-off' then 'uncollected' || ${suffixSql('code')}
      else case base when 'refund-due' then 'refunds-due' || ${suffixSql('code')}
        else 'revenue' || ${suffixSql('code')} || ':x402:' || base_sku end end,
      case turn when 'restored' then -1 else 1 end),
    (case turn when 'write-off' then 'deferred-receivable' else 'x402-receivable' end || ${suffixSql('code')} || ':'
        || network,
      case turn when 'restored' then 1 else -1 end)) as line (account, sign)
  where turn is not null
  union all
  select 'transfer:' || t.id, line.account, t.code, line.sign * t.value
  from (${transferAccounts}) as t
  cross join lateral (values
    (t.wallet, 1, t.to_address),
    (t.came_from, -1, t.to_address),
    (t.went_to, 1, t.from_address),
    (t.wallet, -1, t.from_address)) as line (account, sign, party)
  where line.party = t.pay_to
  union all
  select 'opening:' || lower(code) || ':' || network || ':' || pay_to, line.account, code, line.sign * opening_balance
  from (select *, ${codeSql('asset')} as code from billing.chain_cursor) as c
  cross join lateral (values
    (lower(code) || ':' || network || ':' || pay_to, 1),
    ('opening-balance' || ${suffixSql('code')}, -1)) as line (account, sign)
  where opening_balance is not null
  union all ${expectedGas}
  union all ${expectedResolutions}
  union all ${expectedInvoices}
  union all ${expectedBank}`;
