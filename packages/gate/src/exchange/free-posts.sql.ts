import { rows, texts } from '@keyfare/db/rows';
import { endFreeHolds } from '../free/free.sql.js';
import { appendEntries, entryColumns, usageColumns } from '../log/append.sql.js';
import type { FreeCallPost } from './post-item.js';

/** The rows of `postFreeCalls`. */
export const freeCallRows = rows<FreeCallPost>({
  ...entryColumns<FreeCallPost>(),
  ...usageColumns<FreeCallPost>(),
  principal: texts((item) => item.principal),
});

/** Free calls whose hold is still there: counted, and appended to the log. */
export const postFreeCalls = `
  with item as materialized (select * from ${freeCallRows.source()}),
  ${endFreeHolds},
  ${appendEntries('(select item.* from item join ended using (id)) called', {
    kind: `'call'`,
    sku: 'sku',
    units: 'units',
    period_start: 'period_start',
    occurred_at: 'occurred_at',
    principal: 'principal',
    rail: `'free'`,
  })}
  select id from ended`;
