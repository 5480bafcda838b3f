import { closeExposures } from './exposure.sql.js';

/**
 * The payment room's part of a post, over `item` (with `exchange_id`): the step from `settling` (or, of a deferred
 * payment that is not to be collected, `served`) to its end, which exactly one process takes, and the release of what
 * the payer had open. Answers each with the item's `id`.
 */
export const endPayments = (state: 'settled' | 'failed'): string => `
  moved as (
    update keyfare.payment p set transaction = i.transaction, failure = i.failure, state = ${
      state === 'settled'
        ? `'settled'`
        : `case when i.failure = 'authorization-expired' then 'expired' else 'failed' end`
    }
    from item i where p.exchange_id = i.exchange_id and p.state in ('served', 'settling')
    returning i.id, p.network, p.asset, p.payer, p.amount, p.flow),
  ${closeExposures('moved')}`;

/**
 * `claimed` → `served`, of this process's own deferred payments: what they have open stays so until they are settled.
 */
export const serveDeferred = (replica: string): string => `
  moved as (
    update keyfare.payment p set state = 'served', call = i.call, unused_at_block = i.block, served_at = i.served_at
    from item i where p.exchange_id = i.id and p.state = 'claimed' and p.replica_id = ${replica}
    returning p.exchange_id as id)`;

/** A call that was paid for before it was served: once for each payment, and never after its refund is due. */
export const serveUpfront = `
  moved as (
    update keyfare.payment p set call = i.call, served_at = i.served_at
    from item i where p.exchange_id = i.id and p.state in ('settled', 'final') and p.call is null
      and p.refund_due_at is null
    returning p.exchange_id as id)`;

/** A payment that moved and for which nothing was served. Once for each payment, and never after it was served. */
export const oweRefunds = `
  moved as (
    update keyfare.payment p set refund_due_at = i.issued_at
    from item i where p.exchange_id = i.exchange_id and p.state in ('settled', 'final') and p.flow = 'upfront'
      and p.call is null and p.refund_due_at is null
    returning i.id)`;

/**
 * The transaction that had moved a payment is in the chain no more: another one moved it, or none ever will. Only who
 * names the transaction that the row has takes the step.
 */
export const dropTransactions = `
  moved as (
    update keyfare.payment p set transaction = coalesce(i.transaction, p.transaction), failure = i.failure,
      state = case when i.failure is null then 'settled' else 'failed' end
    from item i where p.exchange_id = i.exchange_id and p.state in ('settled', 'final') and p.transaction = i.dropped
    returning i.id)`;
