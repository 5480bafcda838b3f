/**
 * What payers and all together no longer have open, over the rows of `ended` (with `flow`): the payers first, in the
 * order of their keys, then the total, as claims do it, so that no two statements wait for each other. An update takes
 * its rows in whatever order its plan finds them: so they are locked before it. The total may be too low while
 * processes of the release before, which do not count in it, run beside: an end must not fail for that.
 */
export const closeExposures = (ended: string): string => `
  held as (
    select e.network, e.asset, e.payer, m.amount
    from (select network, asset, payer, sum(amount) as amount from ${ended} group by network, asset, payer) m
    join keyfare.payer_exposure e on e.network = m.network and e.asset = m.asset and e.payer = m.payer
    order by e.network, e.asset, e.payer for update of e),
  freed as (
    update keyfare.payer_exposure e set open = e.open - h.amount
    from held h where e.network = h.network and e.asset = h.asset and e.payer = h.payer
    returning 1),
  untotaled as (
    update keyfare.open_total t set open = greatest(0, t.open - m.amount)
    from (
      select network, asset, sum(amount) as amount from ${ended}
      where flow = 'deferred' and (select count(*) from freed) >= 0 group by network, asset) m
    where t.network = m.network and t.asset = m.asset)`;

/** Before `recountTotals`, in the same transaction: claims and ends that come meanwhile wait. */
export const lockTotals = 'select 1 from keyfare.open_total order by network, asset for update';

/** The totals as the payments have them, for processes of the release before do not count. */
export const recountTotals = `
  update keyfare.open_total t set open = c.open
  from (
    select t.network, t.asset, coalesce(sum(p.amount), 0) as open
    from keyfare.open_total t left join keyfare.payment p on p.network = t.network and p.asset = t.asset
      and not p.closed and p.flow = 'deferred' and p.state in ('claimed', 'served', 'settling')
    group by t.network, t.asset) c
  where t.network = c.network and t.asset = c.asset and t.open <> c.open`;
