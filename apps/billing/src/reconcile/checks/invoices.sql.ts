import { movedCharges } from '../../billed-charges.js';
import { endOfPeriod, hasOwnPeriods, nameOfPeriod } from '../../billing-periods.js';
import { servedMonths } from '../../served-months.js';
import type { Check } from './check.js';

/**
 * Periods that are over against their invoices: each must have one that covers exactly its charges and terms,
 * and whose total is the sum of its lines. The period in which a contract ended is over with it. Drafts are drawn up at
 * night, so what came in the last day is still under way. A period without a call and without a price has none.
 */
export function checkInvoices(): Check {
  return {
    name: 'invoices',
    classes: ['invoice-stale'],
    text: `
      with ${months},
      ${invoices},
      due as (
        select m.*, i.id, i.state, i.covered, i.wrong_sum,
          array[m.receipts, m.included, m.overage, m.amount, m.terms] as expected
        from months m left join invoices i using (account, period_start)
        where greatest(least(m.period_end, m.ends_at), m.newest_terms) <= ${dayBefore})
      -- Where periods change, two may begin in one month.
      select 'invoice-stale' as class, 'invoice:' || account || ' ' || case when ${hasOwnPeriods('account')}
          then to_char(period_start at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else month end as subject,
        jsonb_strip_nulls(jsonb_build_object('account', account, 'month', month, 'invoice', id)) as keys,
        'USD' as asset, abs(amount - coalesce(covered[4], 0)) as amount, 'ledger' as side,
        case when id is null then 'The period is over and has no invoice.'
          when covered is distinct from expected then format('The invoice (%s) covers %s of %s calls and %s of %s terms, '
            || 'and %s of %s micro-dollars for units beyond the plan.', state, covered[1], expected[1], covered[5], expected[5],
            covered[4], expected[4])
          else 'The total of the invoice is not the sum of its lines.' end as detail
      from due d where (id is not null or receipts > 0 or priced)
        and (covered is distinct from expected or wrong_sum) and not exists (${cameLately})`,
    values: [],
  };
}

const dayBefore = `$2::timestamptz - interval '24 hours'`;

/** A charge of the period, or one that is meant for its invoice, was read or let in again in the last day. */
const cameLately = `
  select 1
  from (
    select c.entry_id from billing.charge c
    where c.rail = 'key' and c.account = d.account and c.period_start = d.period_start and c.billed_in is null
    union all
    select c.entry_id from billing.charge c
    where c.rail = 'key' and c.account = d.account and c.billed_in = d.period_start
    union all
    select m.entry_id from moved m where m.account = d.account and m.month = d.period_start) as c
  join billing.entry e on e.id = c.entry_id and e.fault is null
  left join billing.readmission r on r.place = e.place
  where coalesce(r.at, e.ingested_at) > ${dayBefore}`;

/** Each account's periods since its first terms or charge, with what an invoice of it must cover. */
const months = `
  ${movedCharges()},
  charged as (
    select account, period_start, sum(receipts) as receipts, sum(included) as included, sum(overage) as overage,
      sum(amount) as amount
    from (
      select account, billed_in as period_start, calls as receipts, included, overage, amount
      from billing.charge_day where rail = 'key'
      union all
      select account, month, 1, included, overage, amount from moved
      union all
      select account, used_in, -1, -included, -overage, -amount from moved) as counted
    group by account, period_start),
  ${servedMonths('$2::timestamptz')},
  months as (
    select account, period_start, period_end, ${nameOfPeriod('account', 'period_start')} as month,
      coalesce(receipts, 0)::numeric as receipts, coalesce(included, 0) as included, coalesce(overage, 0) as overage,
      coalesce(amount, 0) as amount, terms::numeric as terms, coalesce(priced, false) as priced,
      newest_terms, ends_at
    from served full join charged using (account, period_start) left join ended using (account)
    cross join lateral (select ${endOfPeriod('account', 'period_start')} as period_end) as ends
    cross join lateral (
      select count(*) as terms, max(coalesce(r.at, e.ingested_at)) as newest_terms
      from billing.terms b left join billing.entry e on e.id = b.id and e.fault is null
      left join billing.readmission r on r.place = b.place
      where b.account = coalesce(served.account, charged.account) and b.effective_at < period_end) as book)`;

const invoices = `
  invoices as (
    select i.id, i.account, i.period_start, i.state, i.total <> coalesce(sum(l.amount), 0) as wrong_sum,
      array[i.receipts, coalesce(sum(l.quantity) filter (where l.kind = 'included'), 0),
        coalesce(sum(l.quantity) filter (where l.kind = 'overage'), 0),
        coalesce(sum(l.amount) filter (where l.kind = 'overage'), 0), i.terms]::numeric[] as covered
    from billing.invoice i left join billing.invoice_line l on l.invoice_id = i.id
    where i.state <> 'void' group by i.id)`;
