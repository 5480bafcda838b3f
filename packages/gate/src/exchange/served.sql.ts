import { appendEntries } from '../log/append.sql.js';
import { meterUsage } from '../meter/post.sql.js';
import { serveDeferred, serveUpfront } from '../payment/post.sql.js';
import { storeReceipts } from '../receipt/store.sql.js';

const item = `
  item as materialized (
    select t.*, payer as principal, 'x402' as rail, issued_at as served_at
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[],
      $8::timestamptz[], $9::text[], $10::text[], $11::bytea[], $12::timestamptz[], $13::jsonb[], $14::bigint[])
    as t(id, account_id, key_id, payer, sku, units, period_start, occurred_at, kid, jws, digest, issued_at, call, block)
    where $15::uuid is not null)`;

const post = (step: string): string => `
  with ${item},
  ${step},
  ${appendEntries('call', 'item join moved using (id)')},
  ${storeReceipts('call')},
  ${meterUsage}
  select id from moved`;

/** Calls whose payments are collected later: served and receipted in one statement. */
export const postDeferredCalls = post(serveDeferred('$15::uuid'));

/** Calls whose payments moved before. */
export const postUpfrontCalls = post(serveUpfront);
