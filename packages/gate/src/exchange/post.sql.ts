import { rows, texts } from '@keyfare/db/rows';
import { appendEntries, entryColumns, usageColumns } from '../log/append.sql.js';
import { endPayments } from '../payment/post.sql.js';
import { fencedState } from '../replica-id.js';
import type { KeyCallPost, PaidCallPost, UnpaidCallPost } from './post-item.js';

const usage = {
  kind: `'call'`,
  key_id: 'key_id',
  sku: 'sku',
  units: 'units',
  period_start: 'period_start',
  occurred_at: 'occurred_at',
};

// One process signs with one key, so that its id is sent once for the group.
const { kid: _once, ...keyCallColumns } = entryColumns<KeyCallPost>();
const keyCallRows = rows<KeyCallPost>({
  ...keyCallColumns,
  ...usageColumns<KeyCallPost>(),
  principal: texts((item) => item.accountId),
});

/** What all calls of a group have in common. */
export interface KeyCallGroup {
  readonly kid: string;
  /** The process. */
  readonly writer: string;
  /** The number of the group among that process's. */
  readonly post: bigint;
}

/** The parameters of `postKeyCalls`. */
export function keyCallValues(items: readonly KeyCallPost[], { kid, writer, post }: KeyCallGroup): readonly unknown[] {
  return [...keyCallRows.values(items), kid, writer, post.toString()];
}

const kid = `$${keyCallRows.size + 1}::text`;
const writer = `$${keyCallRows.size + 2}::uuid`;
const post = `$${keyCallRows.size + 3}::bigint`;

/**
 * Calls by key are appended and nothing else: no counter, no row that another call waits for. A process that its peers
 * took for dead has no row among the living, and its post is refused with KF001.
 */
export const postKeyCalls = `
  with alive as materialized (
    select 1 from keyfare.replica where id = ${writer} for key share),
  ${appendEntries(`${keyCallRows.source()} where exists (select 1 from alive)`, {
    ...usage,
    principal: 'principal',
    rail: `'key'`,
    kid,
    writer,
    post,
  })}
  select case when not exists (select 1 from alive)
    then keyfare.refuse('${fencedState}', 'this process was taken for dead') else true end as posted`;

/** The rows of `postPaidCalls`. */
export const paidCallRows = rows<PaidCallPost>({
  ...entryColumns<PaidCallPost>(),
  ...usageColumns<PaidCallPost>(),
  payer: texts((item) => item.payer),
  account_id: texts((item) => item.accountId),
  transaction: texts((item) => item.transaction),
});

/** Paid calls: the process that moves the payment to `settled` posts the call, and no other. */
export const postPaidCalls = `
  with item as materialized (select *, id as exchange_id, null::text as failure from ${paidCallRows.source()}),
  ${endPayments('settled')},
  ${appendEntries('(select item.* from item join moved using (id)) called', {
    ...usage,
    principal: 'payer',
    rail: `'x402'`,
    account_id: 'account_id',
  })}
  select id from moved`;

/** The rows of `postUnpaidCalls`. */
export const unpaidCallRows = rows<UnpaidCallPost>({
  ...entryColumns<UnpaidCallPost>(),
  payer: texts((item) => item.payer),
  transaction: texts((item) => item.transaction),
  failure: texts((item) => item.failure),
});

/** A call that was served and will not be paid: no usage, and an entry that says so. */
export const postUnpaidCalls = `
  with item as materialized (select *, id as exchange_id from ${unpaidCallRows.source()}),
  ${endPayments('failed')},
  ${appendEntries('(select item.* from item join moved using (id)) ended', { kind: `'unpaid'`, principal: 'payer' })}
  select id from moved`;
