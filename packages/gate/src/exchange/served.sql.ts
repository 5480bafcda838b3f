import { bigints, rows, texts, times } from '@keyfare/db/rows';
import { answerColumns, keepAnswers } from '../answer/keep.sql.js';
import { appendEntries, entryColumns, usageColumns } from '../log/append.sql.js';
import { serveDeferred, serveUpfront } from '../payment/post.sql.js';
import type { ServedCallPost } from './post-item.js';

/** The rows of the posts below. The last parameter of `postDeferredCalls` is this process. */
export const servedCallRows = rows<ServedCallPost>({
  ...entryColumns<ServedCallPost>(),
  ...usageColumns<ServedCallPost>(),
  payer: texts((item) => item.payer),
  account_id: texts((item) => item.accountId),
  call_text: texts((item) => JSON.stringify(item.call)),
  ...answerColumns<ServedCallPost>((item) => item.answer),
  block: bigints((item) => item.unusedAtBlock),
  served_at: times((item) => item.issuedAt),
});

const post = (step: string): string => `
  with item as materialized (select *, call_text::jsonb as call from ${servedCallRows.source()}),
  ${step},
  ${appendEntries('(select item.* from item join moved using (id)) called', {
    kind: `'call'`,
    key_id: 'key_id',
    sku: 'sku',
    units: 'units',
    period_start: 'period_start',
    occurred_at: 'occurred_at',
    principal: 'payer',
    rail: `'x402'`,
    account_id: 'account_id',
  })},
  kept as (${keepAnswers('id', 'item join moved using (id)')})
  select id from moved`;

/** Calls whose payments are collected later: served and receipted in one statement. */
export const postDeferredCalls = post(serveDeferred(`$${servedCallRows.size + 1}::uuid`));

/** Calls whose payments moved before. */
export const postUpfrontCalls = post(serveUpfront);
