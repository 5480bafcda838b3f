import { identifierText } from '@keyfare/core/text';
import type { Sql } from '@keyfare/db/sql';
import { z } from 'zod';
import { type Page, pageOf, pageQuery, positions, readCursor, toPage } from './page.js';

export const auditView = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    operator: z.object({ id: z.string(), name: z.string() }),
    action: z.string(),
    subject: z.string(),
    before: z.unknown(),
    after: z.unknown(),
    requestId: z.string(),
  })
  .meta({ id: 'AuditEntry' });

export const auditPage = pageOf(auditView);

export const auditQuery = z.strictObject({
  ...pageQuery,
  operator: identifierText.optional(),
  subject: identifierText.optional(),
  action: identifierText.optional(),
});

interface AuditRow {
  readonly id: string;
  readonly at: Date;
  readonly operator_id: string;
  readonly operator_name: string;
  readonly action: string;
  readonly subject: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly request_id: string;
}

/** Who changed what: the newest first. `schema` is the program's own. */
export async function readAudit(
  sql: Sql,
  schema: string,
  query: z.infer<typeof auditQuery>,
): Promise<Page<z.infer<typeof auditView>>> {
  const after = readCursor('audit', query.cursor, [positions.count]);
  const rows = await sql.query<AuditRow>({
    text: `select id, at, operator_id, operator_name, action, subject, before, after, request_id from ${schema}.audit
      where ($1::bigint is null or id < $1) and ($2::text is null or operator_id = $2)
        and ($3::text is null or subject = $3) and ($4::text is null or action = $4)
      order by id desc limit $5`,
    values: [after?.[0] ?? null, query.operator ?? null, query.subject ?? null, query.action ?? null, query.limit + 1],
  });
  return toPage(rows, { list: 'audit', limit: query.limit, position: ({ id }) => [id], view: viewEntry });
}

function viewEntry(row: AuditRow): z.infer<typeof auditView> {
  const { id, at, action, subject, before, after } = row;
  const operator = { id: row.operator_id, name: row.operator_name };
  return { id, at: at.toISOString(), operator, action, subject, before, after, requestId: row.request_id };
}
