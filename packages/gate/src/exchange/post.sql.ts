import { appendEntries } from '../log/append.sql.js';
import { meterUsage } from '../meter/usage.sql.js';
import { endPayments } from '../payment/post.sql.js';
import { storeReceipts } from '../receipt/store.sql.js';

/**
 * The posts: usage, receipt and entry of many calls in one statement, which is one transaction and one round trip. The
 * rooms write their own tables; here is only the order. What an id has already is left alone, so that a post may be
 * repeated when its outcome was lost with the connection.
 */
export const postKeyCalls = `
  with alive as materialized (select 1 from keyfare.replica where id = $12::uuid for key share),
  item as materialized (
    select id, account_id, null::text as payer, key_id, sku, units, period_start, occurred_at, kid, jws,
      digest, issued_at, account_id as principal, 'key' as rail
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
      $8::text[], $9::text[], $10::bytea[], $11::timestamptz[])
    as t(id, account_id, key_id, sku, units, period_start, occurred_at, kid, jws, digest, issued_at)),
  added as (
    insert into keyfare.entry (id, kind, principal, digest, rail, units, period_start, writer, post)
    select id, 'call', principal, digest, rail, units, period_start, $12::uuid, $13::bigint from item
    on conflict (id) do nothing returning id),
  ${storeReceipts('call')},
  ${meterUsage}
  select case when not exists (select 1 from alive)
    then keyfare.refuse('KF001', 'this process was taken for dead') else true end as posted`;

/** As above for paid calls: whoever moves the payment to `settled` posts the call, and nobody else. */
export const postPaidCalls = `
  with item as materialized (
    select t.*, payer as principal, 'x402' as rail, null::text as failure
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[],
      $8::timestamptz[], $9::text[], $10::text[], $11::bytea[], $12::timestamptz[], $13::text[])
    as t(id, account_id, key_id, payer, sku, units, period_start, occurred_at, kid, jws, digest, issued_at,
      transaction)),
  ${endPayments('settled')},
  ${appendEntries('call', 'item join moved using (id)')},
  ${storeReceipts('call')},
  ${meterUsage}
  select id from moved`;

/** A call that was served and will not be paid: no usage, and an entry that says so. */
export const postUnpaidCalls = `
  with item as materialized (
    select t.*, payer as principal
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[], $7::text[], $8::text[])
    as t(id, payer, kid, jws, digest, issued_at, transaction, failure)),
  ${endPayments('failed')},
  ${appendEntries('unpaid', 'item join moved using (id, payer)')},
  ${storeReceipts('unpaid')}
  select id from moved`;
