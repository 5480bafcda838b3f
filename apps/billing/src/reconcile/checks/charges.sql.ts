import { hasOwnPeriods } from '../../billing-periods.js';
import { codeSql } from '../../token.js';
import { type Check, rowsIn, type Window, windowColumns } from './check.js';

/** Entries that came to nothing in the books. */
export function checkPosted(window: Window): Check {
  return {
    name: 'posted',
    window,
    classes: ['entry-unposted'],
    text: `
      select 'entry-unposted' as class, e.id::text as subject,
        jsonb_build_object('entry', e.id, 'kind', e.kind, 'principal', e.principal) as keys,
        null::text as asset, null::numeric as amount, 'receipt' as side,
        case e.kind when 'call' then 'The call was not rated, or its payment not noted.'
          when 'terms' then 'The books have not stored the terms.'
          else 'What the entry says of a payment was not noted.' end as detail,
        e.place, e.recorded_at as happened_at
      from ${rowsIn('billing.entry', 3)} e
      left join billing.charge c on c.entry_id = e.id
      left join billing.terms b on b.id = e.id
      left join billing.payment p on p.entry_id = e.id
      where e.fault is null and case e.kind
        when 'call' then c.entry_id is null or (e.usage_rail = 'x402' and p.entry_id is null)
        when 'terms' then b.id is null
        else p.entry_id is null end`,
    values: [...windowColumns(window)],
  };
}

/**
 * Charges against the entries, terms and contracts that they come from: each is rated again. What an account used
 * before in its month is counted by the entries where all of them are read, and else by its charges, which totals
 * prove.
 */
export function checkCharges(window: Window): Check {
  return {
    name: 'charges',
    window,
    classes: ['posting-without-entry', 'ledger-mismatch'],
    text: `
      with ${window === null ? callsOfAll : callsOfWindow},
      agreed as not materialized (
        select t.id, t.account, t.effective_at, t.revision, t.place, ${turnOf('t')}
        from billing.terms t left join billing.readmission r on r.place = t.place),
      -- Most accounts have had one plan: of those no terms are looked for, charge by charge.
      lone as materialized (
        select account, (array_agg(id))[1] as id, min(turn) as turn, min(nth) as nth from agreed
        group by account having count(*) = 1),
      rated as (
        select c.*, e.id as found, p.amount as paid, ${codeSql('p.asset')} as paid_in, b.included_units, b.ends_at, e.units_before,
          case b.overage when 'invoice' then coalesce((
              select k.unit_price from billing.contract_price k join billing.contract a on a.id = k.contract_id
              where a.account = c.account and k.sku = c.sku and k.valid_from <= c.occurred_at
                and c.occurred_at < coalesce(a.ends_at, 'infinity')
              order by k.valid_from desc limit 1), b.overage_price) else 0 end as due_price,
          e.usage_rail, e.usage_account, e.usage_payer, e.usage_sku, e.usage_units, e.usage_period_start,
          case when c.rail = 'key' and ${hasOwnPeriods('c.account')} then (
            select nullif(p.period_start, c.period_start)
            from billing.periods_of(c.account, c.occurred_at, c.occurred_at) as p) end as due_in,
          case when c.rail <> 'key' then null
            when o.id is not null
              then case when (o.turn, o.nth) < (coalesce(e.turn, c.place), coalesce(e.nth, 0)) then o.id end
            else coalesce(
            (select t.id from agreed t
              where t.account = c.account and t.effective_at <= c.occurred_at
                and (t.turn, t.nth) < (coalesce(e.turn, c.place), coalesce(e.nth, 0))
              order by t.revision desc, t.effective_at desc, t.place desc limit 1),
            (select t.id from agreed t
              where t.account = c.account and (t.turn, t.nth) < (coalesce(e.turn, c.place), coalesce(e.nth, 0))
              order by t.revision, t.effective_at, t.place limit 1)) end as in_force
        from ${rowsIn('billing.charge', 3)} c
        left join calls e on e.id = c.entry_id
        left join billing.payment p on p.entry_id = c.entry_id
        left join lone o on o.account = c.account
        left join billing.terms b on b.id = c.terms_id)
      select case when found is null then 'posting-without-entry' else 'ledger-mismatch' end as class,
        'charge:' || entry_id as subject, jsonb_build_object('entry', entry_id, 'product', sku) as keys,
        coalesce(paid_in, asset) as asset, amount, 'ledger' as side,
        case when found is null then 'The charge comes from no entry.'
          else 'The charge is not what the entry and its terms or payment come to.' end as detail,
        place, occurred_at as happened_at
      from rated
      where found is null
        or (rail, account, payer, sku, units, period_start, billed_in) is distinct from
          (usage_rail, usage_account, usage_payer, usage_sku, usage_units, usage_period_start, due_in)
        or case rail
          when 'x402' then (asset, amount) is distinct from (paid_in, paid)
          when 'free' then amount <> 0
          else terms_id is distinct from in_force or occurred_at >= ends_at
            or included is distinct from least(units, greatest(included_units - units_before, 0))
            or unit_price is distinct from due_price
            or amount is distinct from overage * due_price end`,
    values: [...windowColumns(window)],
  };
}

/**
 * The order in which charges are made: that of the log, and of an entry that was readmitted, after all that had been
 * read by then. `r` is its readmission.
 */
const turnOf = (row: string): string => `coalesce(r.after_place, ${row}.place) as turn, coalesce(r.nth, 0) as nth`;

const callsOfAll = `calls as (
        select *, coalesce(sum(usage_units) over (
            partition by usage_rail, usage_account, usage_period_start order by turn, nth
            rows between unbounded preceding and 1 preceding), 0) as units_before
        from (
          select e.id, usage_rail, usage_account, usage_payer, usage_sku, usage_units, usage_period_start, ${turnOf('e')}
          from billing.entry e left join billing.readmission r on r.place = e.place
          where e.fault is null and e.kind = 'call') as made)`;

// The ends of the window's stretches cut the log into parts. Units before a charge are those of earlier parts, and
// those before it in its own: only charges of the window's parts are put in order, and not all of their months.
// Stretches do not meet, so every other part is one of them, from the first end on.
const callsOfWindow = `ends as materialized (
        select array_agg(place order by place) as places
        from unnest($3::bigint[], $4::bigint[]) as s (after, upto), unnest(array[s.after, s.upto]) as place),
      touched as (
        select distinct account, period_start from ${rowsIn('billing.charge', 3)} c where rail = 'key'),
      made as materialized (
        select u.*, width_bucket(u.turn - 1, ends.places) as part, width_bucket(u.place - 1, ends.places) % 2 = 1 as is_due
        from ends, (
          select c.entry_id, c.account, c.period_start, c.units, c.place, ${turnOf('c')}
          from touched t
          join billing.charge c on c.rail = 'key' and c.account = t.account and c.period_start = t.period_start
          left join billing.readmission r on r.place = c.place
          union all
          -- A charge that is missing is one break, and not one of each charge after it too.
          select e.id, e.usage_account, e.usage_period_start, e.usage_units, e.place, ${turnOf('e')}
          from ${rowsIn('billing.entry', 3)} e left join billing.readmission r on r.place = e.place
          where e.fault is null and e.kind = 'call' and e.usage_rail = 'key'
            and not exists (select 1 from billing.charge c where c.entry_id = e.id)) as u),
      parts as (
        select account, period_start, part, coalesce(sum(sum(units)) over (
            partition by account, period_start order by part rows between unbounded preceding and 1 preceding), 0) as units
        from made group by account, period_start, part),
      counted as (
        select m.entry_id, p.units + coalesce(sum(m.units) over (
            partition by m.account, m.period_start, m.part order by m.turn, m.nth
            rows between unbounded preceding and 1 preceding), 0) as units_before
        from made m join parts p using (account, period_start, part)
        where (m.account, m.period_start, m.part) in (
          select account, period_start, part from made where is_due)),
      calls as (
        select e.id, e.usage_rail, e.usage_account, e.usage_payer, e.usage_sku, e.usage_units, e.usage_period_start,
          coalesce(b.units_before, 0) as units_before, ${turnOf('e')}
        from ${rowsIn('billing.entry', 3)} e
        left join billing.readmission r on r.place = e.place
        left join counted b on b.entry_id = e.id
        where e.fault is null and e.kind = 'call')`;
