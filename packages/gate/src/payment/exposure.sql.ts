/**
 * What payers and all together no longer have open, over the rows of `ended` (with `flow`): the payers first, then the
 * total, as claims do it, so that no two statements wait for each other.
 */
export const closeExposures = (ended: string): string => `
  freed as (
    update keyfare.payer_exposure e set open = e.open - m.amount
    from (select network, asset, payer, sum(amount) as amount from ${ended} group by network, asset, payer) m
    where e.network = m.network and e.asset = m.asset and e.payer = m.payer
    returning 1),
  untotaled as (
    update keyfare.open_total t set open = t.open - m.amount
    from (
      select network, asset, sum(amount) as amount from ${ended}
      where flow = 'deferred' and (select count(*) from freed) >= 0 group by network, asset) m
    where t.network = m.network and t.asset = m.asset)`;
