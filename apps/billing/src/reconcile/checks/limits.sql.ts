import type { Check } from './check.js';

/**
 * Units that a plan should have refused, or asked a wallet for, and that were served all the same: calls in flight when
 * the account was moved to a smaller plan, or a hole in the limit. They are charged at nothing, so only this shows
 * them. By account and day: what an operator has looked into stays resolved, and what the next day brings is a break
 * anew.
 */
export function checkLimits(): Check {
  return {
    name: 'limits',
    classes: ['units-over-limit'],
    text: `
      with beyond as (
        select c.account, to_char(c.occurred_at at time zone 'utc', 'YYYY-MM-DD') as day, sum(c.overage) as units,
          (array_agg(c.entry_id order by c.place))[1] as first_entry, min(c.occurred_at) as happened_at,
          string_agg(distinct b.plan_slug, ', ' order by b.plan_slug) as plans
        from billing.charge c join billing.terms b on b.id = c.terms_id
        where c.rail = 'key' and c.overage > 0 and b.overage <> 'invoice'
          -- Sums by day name the few accounts of which every call is looked at.
          and c.unit_price = 0 and c.account in (
            select d.account from billing.charge_day d where d.rail = 'key' and d.overage > 0 and d.unit_price = 0)
          -- $0 is a price: what goes beyond is served on and costs nothing.
          and not (b.overage = 'x402' and b.overage_price = 0)
        group by 1, 2)
      select 'units-over-limit' as class, account || ' ' || day as subject,
        jsonb_build_object('account', account, 'day', day, 'plan', plans, 'firstEntry', first_entry) as keys,
        null::text as asset, null::numeric as amount, 'usage' as side,
        format('Units were served beyond the limit of the plan, which does not invoice them: %s.', units) as detail, happened_at
      from beyond`,
    values: [],
  };
}
