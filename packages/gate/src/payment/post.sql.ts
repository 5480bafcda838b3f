/**
 * The payment room's part of a post, over `item`: the step from `submitted` to its end, which exactly one process
 * takes, and the release of what the payer had open.
 */
export const endPayments = (state: 'settled' | 'failed'): string => `
  moved as (
    update keyfare.payment p set state = '${state}', transaction = i.transaction, failure = i.failure
    from item i where p.exchange_id = i.id and p.state = 'submitted'
    returning p.exchange_id as id, p.network, p.asset, p.payer, p.amount),
  freed as (
    update keyfare.payer_exposure e set open = e.open - m.amount
    from (select network, asset, payer, sum(amount) as amount from moved group by network, asset, payer) m
    where e.network = m.network and e.asset = m.asset and e.payer = m.payer)`;
