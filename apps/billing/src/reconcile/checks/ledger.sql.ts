import { codeSql, suffixSql } from '../../token.js';
import type { Check } from './check.js';
import { expectedResolutions } from './resolutions.sql.js';

/** Entries that came to nothing in the books. */
export function checkPosted(): Check {
  return {
    classes: ['entry-unposted'],
    text: `
      select 'entry-unposted' as class, e.id::text as subject,
        jsonb_build_object('entry', e.id, 'kind', e.kind, 'principal', e.principal) as keys,
        null::text as asset, null::numeric as amount, 'receipt' as side,
        case e.kind when 'call' then 'The call was not rated, or its payment not noted.'
          when 'terms' then 'The books have not stored the terms.'
          else 'What the entry says of a payment was not noted.' end as detail
      from billing.entry e
      left join billing.charge c on c.entry_id = e.id
      left join billing.terms b on b.id = e.id
      left join billing.payment p on p.entry_id = e.id
      where e.fault is null and case e.kind
        when 'call' then c.entry_id is null or (e.usage_rail = 'x402' and p.entry_id is null)
        when 'terms' then b.id is null
        else p.entry_id is null end`,
    values: [],
  };
}

/** Charges against the entries and the terms that they come from: every one is rated again. */
export function checkCharges(): Check {
  return {
    classes: ['posting-without-entry', 'ledger-mismatch'],
    text: `
      with calls as (
        select id, usage_rail, usage_account, usage_payer, usage_sku, usage_units, usage_period_start,
          coalesce(r.after_place, e.place) as turn, coalesce(r.nth, 0) as nth,
          coalesce(sum(usage_units) over (
            partition by usage_rail, usage_account, usage_period_start
            order by coalesce(r.after_place, e.place), coalesce(r.nth, 0)
            rows between unbounded preceding and 1 preceding), 0) as units_before
        from billing.entry e left join billing.readmission r on r.place = e.place
        where e.fault is null and kind = 'call'),
      -- Readmitted terms rate what was booked after them alone, as a readmitted call counts after what was read before.
      agreed as (
        select t.*, coalesce(r.after_place, t.place) as turn, coalesce(r.nth, 0) as nth
        from billing.terms t left join billing.readmission r on r.place = t.place),
      rated as (
        select c.*, e.id as found, p.amount as paid, ${codeSql('p.asset')} as paid_in, b.included_units, b.ends_at, e.units_before,
          case b.overage when 'invoice' then b.overage_price else 0 end as due_price,
          e.usage_rail, e.usage_account, e.usage_payer, e.usage_sku, e.usage_units, e.usage_period_start,
          case when c.rail = 'key' then coalesce(
            (select t.id from agreed t
              where t.account = c.account and t.effective_at <= c.occurred_at
                and (t.turn, t.nth) < (coalesce(e.turn, c.place), coalesce(e.nth, 0))
              order by t.revision desc, t.effective_at desc, t.place desc limit 1),
            (select t.id from agreed t
              where t.account = c.account and (t.turn, t.nth) < (coalesce(e.turn, c.place), coalesce(e.nth, 0))
              order by t.revision, t.effective_at, t.place limit 1)) end as in_force
        from billing.charge c
        left join calls e on e.id = c.entry_id
        left join billing.payment p on p.entry_id = c.entry_id
        left join billing.terms b on b.id = c.terms_id)
      select case when found is null then 'posting-without-entry' else 'ledger-mismatch' end as class,
        'charge:' || entry_id as subject, jsonb_build_object('entry', entry_id, 'product', sku) as keys,
        coalesce(paid_in, asset) as asset, amount, 'ledger' as side,
        case when found is null then 'The charge comes from no entry.'
          else 'The charge is not what the entry and its terms or payment come to.' end as detail
      from rated
      where found is null
        or (rail, account, payer, sku, units, period_start) is distinct from
          (usage_rail, usage_account, usage_payer, usage_sku, usage_units, usage_period_start)
        or case rail
          when 'x402' then (asset, amount) is distinct from (paid_in, paid)
          when 'free' then amount <> 0
          else terms_id is distinct from in_force or occurred_at >= ends_at
            or included is distinct from least(units, greatest(included_units - units_before, 0))
            or unit_price is distinct from due_price
            or amount is distinct from overage * due_price end`,
    values: [],
  };
}

/**
 * The whole ledger, account by account: what each charge, transfer and opening should come to against what the journals
 * of that source come to. A difference has no place to hide, for every journal has a source.
 */
export function checkLedger(): Check {
  return {
    classes: ['entry-unposted', 'posting-without-entry', 'ledger-mismatch'],
    text: `
      with ${paymentLives},
      expected as (
        ${expectedPostings}),
      should as (
        select source, account, asset, sum(amount) as amount from expected group by 1, 2, 3 having sum(amount) <> 0),
      have as (
        select j.source, p.account, p.asset, sum(p.amount) as amount
        from billing.journal j join billing.posting p on p.journal_id = j.id
        group by 1, 2, 3 having sum(p.amount) <> 0),
      different as (
        select source, max(coalesce(h.asset, s.asset)) as asset,
          max(abs(coalesce(h.amount, 0) - coalesce(s.amount, 0))) as amount,
          count(s.account) as wanted, count(h.account) as written
        from should s full join have h using (source, account)
        where h.amount is distinct from s.amount or h.asset is distinct from s.asset
        group by source)
      select case
          when written = 0 and split_part(source, ':', 1) <> all (array['transfer', 'opening']) then 'entry-unposted'
          when wanted = 0 and not exists (select 1 from expected e where e.source = d.source)
            then 'posting-without-entry'
          else 'ledger-mismatch' end as class,
        source as subject, jsonb_build_object('source', source) as keys, asset, amount,
        case when written = 0 then 'receipt' else 'ledger' end as side,
        case when written = 0 then 'The ledger has no journal of it.'
          when wanted = 0 then 'The ledger has a journal of it that nothing explains.'
          else 'The journals of it do not come to what they should.' end as detail
      from different d`,
    values: [],
  };
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
      order by network, asset, payer, nonce, place) as known)`;

/**
 * The rules of `ledger/flows.ts` once more, written apart from them: the ledger is not checked by what wrote it. A
 * source that comes to nothing is in it too, with zeros: it is known, and explains no posting.
 */
const expectedPostings = `
  select 'call:' || c.entry_id as source,
    case when c.rail = 'key' then 'unbilled-receivable:' || c.account
      when p.outcome = 'deferred' then 'deferred-receivable' || ${suffixSql('c.asset')} || ':' || p.network
      else 'x402-receivable' || ${suffixSql('c.asset')} || ':' || p.network end as account,
    c.asset, c.amount
  from billing.charge c left join billing.payment p on p.entry_id = c.entry_id
  union all
  select 'call:' || entry_id, 'revenue' || case rail when 'x402' then ${suffixSql('asset')} else '' end || ':' || rail
    || ':' || sku, asset, -amount from billing.charge
  union all
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
  select 'transfer:' || t.id, line.account, t.code,
    case when t.orphaned_at is null and (t.from_address <> t.to_address or t.authorizer is not null)
      then line.sign * t.value else 0 end
  from (select *, ${codeSql('asset')} as code from billing.chain_transfer) as t
  cross join lateral (values
    (lower(t.code) || ':' || t.network || ':' || t.pay_to, 1, t.to_address),
    (coalesce((
        select c.receivable || ${suffixSql('t.code')} || ':' || t.network from claims c
        where (c.network, c.asset, c.payer, c.nonce) = (t.network, t.asset, t.authorizer, t.nonce)),
      'unidentified-receipts' || ${suffixSql('t.code')}), -1, t.to_address),
    ('treasury-out' || ${suffixSql('t.code')}, 1, t.from_address),
    (lower(t.code) || ':' || t.network || ':' || t.pay_to, -1, t.from_address)) as line (account, sign, party)
  where line.party = t.pay_to
  union all
  select 'opening:' || lower(code) || ':' || network || ':' || pay_to, line.account, code, line.sign * opening_balance
  from (select *, ${codeSql('asset')} as code from billing.chain_cursor) as c
  cross join lateral (values
    (lower(code) || ':' || network || ':' || pay_to, 1),
    ('opening-balance' || ${suffixSql('code')}, -1)) as line (account, sign)
  where opening_balance is not null
  union all ${expectedResolutions}`;
