/**
 * A common table expression: the adjustments of which something is to be invoiced, `adjusting`, with what is `left` of
 * each, below 0 for a credit, and the `month` whose invoice it is for: the first from its own on without a final
 * invoice. Those that wait for an approval, and those that were withdrawn, are for none. Of one account, an expression,
 * or of all.
 */
export function openAdjustments(account?: string): string {
  const some = account === undefined ? '' : `and a.account = ${account}`;
  return `
  adjusting as (
    select a.id, a.account, a.description, a.amount, a.prepaid, a.made_at, a.amount - coalesce(taken.amount, 0) as "left",
      (select min(p.period_start)
        from billing.periods_of(a.account, a.period_start, greatest(a.period_start, newest.period_end)) as p
        where not exists (
          select 1 from billing.invoice x
          where x.account = a.account and x.period_start = p.period_start and x.state not in ('draft', 'void'))
      ) as month
    from billing.adjustment a
    left join lateral (
      select sum(t.amount) as amount from billing.invoice_adjustment t join billing.invoice i on i.id = t.invoice_id
      where t.adjustment_id = a.id and i.state <> 'void') as taken on true
    left join lateral (
      select max(x.period_end) as period_end from billing.invoice x
      where x.account = a.account and x.state not in ('draft', 'void')) as newest on true
    where a.withdrawn_at is null and (a.approved_at is not null or not a.needs_approval)
      and a.amount <> coalesce(taken.amount, 0) ${some})`;
}
