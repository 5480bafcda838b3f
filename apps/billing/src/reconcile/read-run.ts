import { Problem } from '@keyfare/core/problem';
import type { Sql } from '@keyfare/db/sql';
import type { Run } from './reconcile.service.js';

interface Row {
  readonly id: string;
  readonly trigger: Run['trigger'];
  readonly started_at: Date;
  readonly finished_at: Date;
  readonly entries_as_of: Date | null;
  readonly chain_as_of: Date | null;
  readonly report: Run['report'];
  readonly digest: Buffer;
}

/** What a run found. 404 `report/not-found` while it has not ended, and when it found nothing out. */
export async function readRun(sql: Sql, id: string): Promise<Run> {
  const [row] = await sql.query<Row>({
    text: 'select * from billing.reconciliation where id::text = $1',
    values: [id],
  });
  if (row === undefined) throw new Problem('report/not-found', 'The run has no report.');
  return {
    id: row.id,
    trigger: row.trigger,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    entriesAsOf: row.entries_as_of,
    chainAsOf: row.chain_as_of,
    report: row.report,
    digest: row.digest,
  };
}
