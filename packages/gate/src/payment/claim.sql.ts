import { bytes, rows, texts, times, uuids } from '@keyfare/db/rows';
import type { PaymentHold } from './call.js';
import { closeExposures } from './exposure.sql.js';

/** The rows of `claimPayments`; its last parameter is this process. Amounts may be larger than 64 bits. */
export const claimRows = rows<PaymentHold>({
  network: texts((hold) => hold.network),
  asset: texts((hold) => hold.asset),
  payer: texts((hold) => hold.payer),
  nonce: texts((hold) => hold.nonce),
  exchange_id: uuids((hold) => hold.exchangeId),
  account_id: texts((hold) => hold.accountId),
  key_id: texts((hold) => hold.keyId),
  fingerprint: bytes((hold) => hold.fingerprint),
  pay_to: texts((hold) => hold.payTo),
  amount_text: texts((hold) => hold.amount.toString()),
  valid_after: texts((hold) => hold.validAfter.toString()),
  valid_before: texts((hold) => hold.validBefore.toString()),
  signature: bytes((hold) => Buffer.from(hold.signature.slice(2), 'hex')),
  claimed_at: times((hold) => hold.claimedAt),
  flow: texts((hold) => hold.flow),
  sku: texts((hold) => hold.sku),
});

/**
 * Claims payments for their exchanges, and adds them to what their payers have open. The insert is the claim: of all
 * who present one authorization, in whatever process, one inserts the row. Payers on the block list claim nothing.
 */
export const claimPayments = `
  with item as materialized (select *, amount_text::numeric as amount from ${claimRows.source()}),
  blocked as (
    select exchange_id from item i where exists (select 1 from keyfare.blocked_payer b where b.payer = i.payer)),
  claimed as (
    insert into keyfare.payment (network, asset, payer, nonce, exchange_id, replica_id, account_id, key_id,
      fingerprint, pay_to, amount, valid_after, valid_before, signature, claimed_at, flow, sku)
    select network, asset, payer, nonce, exchange_id, $${claimRows.size + 1}::uuid, account_id, key_id, fingerprint,
      pay_to, amount, valid_after::numeric, valid_before::numeric, signature, claimed_at, flow, sku
    from item where exchange_id not in (select exchange_id from blocked) order by network, asset, payer, nonce
    on conflict (network, asset, payer, nonce) do nothing
    returning exchange_id, network, asset, payer, amount, flow),
  exposed as (
    insert into keyfare.payer_exposure (network, asset, payer, open)
    select network, asset, payer, sum(amount) from claimed group by network, asset, payer
    order by network, asset, payer
    on conflict (network, asset, payer) do update set open = payer_exposure.open + excluded.open
    returning network, asset, payer, open),
  totaled as (
    insert into keyfare.open_total (network, asset, open)
    select network, asset, sum(amount) from claimed where flow = 'deferred' and (select count(*) from exposed) > 0
    group by network, asset order by network, asset
    on conflict (network, asset) do update set open = open_total.open + excluded.open
    returning network, asset, open)
  select c.exchange_id, e.open, t.open as total
  from claimed c join exposed e using (network, asset, payer) left join totaled t using (network, asset)
  union all select exchange_id, null, null from blocked`;

/** Own claims as they stand: of a group whose answer was lost. */
export const selectOwnClaims = `
  select p.exchange_id, e.open, t.open as total from keyfare.payment p
  join keyfare.payer_exposure e using (network, asset, payer)
  left join keyfare.open_total t using (network, asset)
  where p.exchange_id = any($1::uuid[]) and p.state = 'claimed'`;

/** Gives claims up, with what they held of their payers' exposure. Only what was never submitted can be given up. */
export const releaseClaims = `
  with released as (
    delete from keyfare.payment where exchange_id = any($1::uuid[]) and state = 'claimed'
    returning network, asset, payer, amount, flow),
  ${closeExposures('released')}
  select 1`;

/**
 * Gives up the claims that no living process works on: those of dead processes, of none at all, and this one's own from
 * before `$3`, when no exchange of today had begun. Nothing of them was submitted, so nothing can have moved; a process
 * that works on one of them all the same will find it gone, and submits nothing.
 */
export const releaseAbandonedClaims = `
  with released as (
    delete from keyfare.payment p where not closed and state = 'claimed'
      and (replica_id = any($1::uuid[]) or (replica_id = $2::uuid and claimed_at < $3::timestamptz)
        or not exists (select 1 from keyfare.replica r where r.id = p.replica_id))
    returning network, asset, payer, amount, flow),
  ${closeExposures('released')}
  select 1`;

/**
 * Takes over the payments of dead processes, and of any that no process owns, whose settlement is under way or not
 * final yet. Answers all that are this process's own then. One that moved before its call, which died with its process,
 * is left to `selectUnserved`: adopted it would look like a call that this process is serving.
 */
export const adoptPayments = `
  with adopted as (
    update keyfare.payment p set replica_id = $1
    where not closed and state in ('settling', 'settled') and replica_id <> $1 and not (state = 'settled' and unserved)
      and (replica_id = any($2::uuid[]) or not exists (select 1 from keyfare.replica r where r.id = p.replica_id))
    returning exchange_id)
  select exchange_id, true as adopted from adopted
  union all
  select exchange_id, false from keyfare.payment
  where not closed and state in ('settling', 'settled') and replica_id = $1`;

/**
 * Payments that moved before their call and whose call no living process works on: of dead processes, or of this one
 * from before `$2`, when no exchange of today had begun.
 */
export const selectUnserved = `
  select p.exchange_id from keyfare.payment p
  where p.unserved and p.state in ('settled', 'final')
    and ((p.replica_id = $1::uuid and p.claimed_at < $2::timestamptz)
      or not exists (select 1 from keyfare.replica r where r.id = p.replica_id))`;

/** Exposure at zero says nothing: it is not kept, so that strangers leave no rows. */
export const forgetExposures = `delete from keyfare.payer_exposure where open = 0`;

/** A payment as it stands, by the authorization. */
export const selectByAuthorization = `
  select p.*, coalesce(r.expires_at > now(), false) as owner_alive, coalesce(p.waiting_until > now(), false) as waiting
  from keyfare.payment p left join keyfare.replica r on r.id = p.replica_id
  where p.network = $1 and p.asset = $2 and p.payer = $3 and p.nonce = $4`;

/** Payments as they stand, by exchange. */
export const selectByExchange = `
  select p.*, coalesce(r.expires_at > now(), false) as owner_alive, coalesce(p.waiting_until > now(), false) as waiting
  from keyfare.payment p left join keyfare.replica r on r.id = p.replica_id
  where p.exchange_id = any($1::uuid[])`;
