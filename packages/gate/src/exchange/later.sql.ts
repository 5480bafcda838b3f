import type { EntryKind } from '@keyfare/core/log';
import { appendEntries } from '../log/append.sql.js';
import { dropTransactions, endPayments, oweRefunds } from '../payment/post.sql.js';
import { storeReceipts } from '../receipt/store.sql.js';

const post = (step: string, kind: EntryKind): string => `
  with item as materialized (
    select t.*, payer as principal
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[], $8::text[],
      $9::text[], $10::text[])
    as t(id, exchange_id, payer, kid, jws, digest, issued_at, transaction, failure, dropped)),
  ${step},
  ${appendEntries(kind, 'item join moved using (id)')},
  ${storeReceipts(kind)}
  select id from moved`;

/** Deferred payments that have moved. */
export const postSettlements = post(endPayments('settled'), 'settlement');
/** Deferred payments that cannot be collected. */
export const postUncollected = post(endPayments('failed'), 'unpaid');
/** Payments that moved for nothing. */
export const postRefundsDue = post(oweRefunds, 'refund-due');
/** Settlements that the chain dropped. */
export const postReversed = post(dropTransactions, 'reversed');

/** Payments without a call, on their way to it or without any: a step and no entry. Columns: exchange, transaction, failure. */
export const endSilently = (state: 'settled' | 'failed'): string => `
  with item as materialized (
    select i as exchange_id, i as id, t as transaction, f as failure
    from unnest($1::uuid[], $2::text[], $3::text[]) as u(i, t, f)),
  ${endPayments(state)}
  select id from moved`;

/** A payment that another transaction moved than the one that was named before. */
export const postSettlementAgain = post(
  `moved as (
    select i.id from item i join keyfare.payment p on p.exchange_id = i.exchange_id and p.transaction = i.transaction)`,
  'settlement',
);
