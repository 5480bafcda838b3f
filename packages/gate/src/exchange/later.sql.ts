import type { EntryKind } from '@keyfare/core/log';
import { rows, texts, times, uuids } from '@keyfare/db/rows';
import { appendEntries, entryColumns } from '../log/append.sql.js';
import { dropTransactions, endPayments, oweRefunds } from '../payment/post.sql.js';
import type { LaterPost } from './post-item.js';

/** The rows of the posts below. */
export const laterRows = rows<LaterPost>({
  ...entryColumns<LaterPost>(),
  exchange_id: uuids((item) => item.exchangeId),
  payer: texts((item) => item.payer),
  issued_at: times((item) => item.issuedAt),
  transaction: texts((item) => item.transaction),
  failure: texts((item) => item.failure),
  dropped: texts((item) => item.dropped),
});

const post = (step: string, kind: EntryKind): string => `
  with item as materialized (select * from ${laterRows.source()}),
  ${step},
  ${appendEntries('(select item.* from item join moved using (id)) ended', { kind: `'${kind}'`, principal: 'payer' })}
  select id from moved`;

/** Deferred payments that have moved. */
export const postSettlements = post(endPayments('settled'), 'settlement');
/** Deferred payments that cannot be collected. */
export const postUncollected = post(endPayments('failed'), 'unpaid');
/** Payments that moved for nothing. */
export const postRefundsDue = post(oweRefunds, 'refund-due');
/** Settlements that the chain dropped. */
export const postReversed = post(dropTransactions, 'reversed');

/**
 * Payments without a call, on their way to it or without any: a step and no entry. Columns: exchange, transaction,
 * failure.
 */
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
