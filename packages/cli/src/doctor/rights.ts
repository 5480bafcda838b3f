import type { Sql } from '@keyfare/db/sql';
import { type Finding, fail, ok } from './finding.js';

/** Privileges on a table or view of a schema; with columns, on those only. */
export interface Right {
  readonly object: string;
  readonly privilege: 'select' | 'insert' | 'update' | 'delete' | 'execute';
  readonly columns?: readonly string[];
}

/** Each right of a list of `object: privileges`. */
function on(objects: readonly string[], ...privileges: Right['privilege'][]): readonly Right[] {
  return objects.flatMap((object) => privileges.map((privilege) => ({ object, privilege })));
}

const entryColumns =
  'id kind principal rail account_id key_id sku units period_start occurred_at writer post kid payload signature digest'.split(
    ' ',
  );

/** What the migrations grant to the role of a running gate. A test compares it with a database that has had them. */
export const gateRights: readonly Right[] = [
  ...on(['entry', 'placed', 'sequencer', 'unplaced', 'operator_feed', 'migration', 'audit'], 'select'),
  {
    object: 'entry',
    privilege: 'insert',
    columns: entryColumns,
  },
  { object: 'unplaced', privilege: 'insert', columns: ['ids'] },
  {
    object: 'audit',
    privilege: 'insert',
    columns: ['operator_id', 'operator_name', 'action', 'subject', 'before', 'after', 'request_id'],
  },
  ...on(['unplaced'], 'delete'),
  ...on(['placed'], 'insert'),
  ...on(['sequencer'], 'update'),
  ...on(['plan', 'price', 'receipt_key', 'settlement', 'bootstrap'], 'select', 'insert'),
  ...on(
    ['account', 'allowance', 'api_key', 'key_use', 'open_total', 'operator', 'refund', 'wallet'],
    'select',
    'insert',
    'update',
  ),
  ...on(
    [
      'answer',
      'api_key_secret',
      'blocked_payer',
      'free_caller',
      'free_hold',
      'free_tier',
      'idempotent_request',
      'lease',
      'payer_exposure',
      'payment',
      'replica',
      'session',
      'sign_in_link',
    ],
    ...(['select', 'insert', 'update', 'delete'] as const),
  ),
  { object: 'make_months()', privilege: 'execute' },
];

/** The views that billing reads of the API's log, and nothing else. */
export const feedRights: readonly Right[] = on(
  ['entry_feed', 'log_head', 'meter_feed', 'account_feed', 'operator_feed'],
  'select',
);

interface Question {
  readonly name: string;
  readonly schema: string;
  /** Whom the rights were granted to. */
  readonly role: string;
  readonly rights: readonly Right[];
}

/** Whether the connection has each of these rights. */
export async function checkRights(sql: Sql, { name, schema, role, rights }: Question): Promise<readonly Finding[]> {
  const asked = rights.flatMap(({ object, privilege, columns }) =>
    (columns ?? [null]).map((column) => ({ object, privilege, column })),
  );
  const rows = await sql.query<{ object: string; privilege: string; column: string | null; granted: boolean }>({
    text: `select a.object, a.privilege, a."column",
        coalesce(case
          when a.privilege = 'execute' then has_function_privilege(to_regprocedure($1 || '.' || a.object), 'execute')
          when a."column" is null then has_table_privilege(to_regclass($1 || '.' || a.object), a.privilege)
          else has_column_privilege(to_regclass($1 || '.' || a.object), a."column", a.privilege) end, false) as granted
      from unnest($2::text[], $3::text[], $4::text[]) as a(object, privilege, "column")`,
    values: [
      schema,
      asked.map(({ object }) => object),
      asked.map(({ privilege }) => privilege),
      asked.map(({ column }) => column),
    ],
  });
  const missing = new Map<string, string[]>();
  for (const { object, privilege, column, granted } of rows) {
    if (granted) continue;
    const what = column === null ? privilege : `${privilege} (${column})`;
    missing.set(object, [...(missing.get(object) ?? []), what]);
  }
  if (missing.size === 0) return [ok(name, `${role} has every right that it needs`)];
  return [...missing].map(([object, privileges]) => {
    const target = object.endsWith(')') ? `function ${schema}.${object}` : `${schema}.${object}`;
    const grant = `grant ${privileges.join(', ')} on ${target} to ${role};`;
    return fail(
      name,
      `${role} may not ${privileges.join(', ')} on ${schema}.${object}`,
      `run \`${grant}\` as the owner of the schema`,
    );
  });
}
