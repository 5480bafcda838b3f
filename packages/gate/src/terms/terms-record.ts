import type { TermsRecord } from '@keyfare/core/metering';
import type { Sql } from '@keyfare/db/sql';
import { type PlanRow, planColumns, termsOf } from './plan-row.js';

/** Terms with the version of their account's row, which counts suspensions too. */
export interface VersionedTerms extends TermsRecord {
  readonly version: bigint;
}

interface TermsRow extends PlanRow {
  readonly account_id: string;
  readonly version: string;
  readonly revision: string;
  readonly status: 'active' | 'suspended' | 'closed';
  readonly ends_at: Date | null;
}

const selectTerms = `
  select a.id as account_id, a.version, a.revision, a.status, a.ends_at, ${planColumns}
  from keyfare.account a join keyfare.plan p on p.id = a.plan_id
  where a.id = $1`;

/** Reads what an account has agreed, in one statement. */
export async function readTerms(sql: Sql, accountId: string): Promise<VersionedTerms | undefined> {
  const [row] = await sql.query<TermsRow>({ name: 'keyfare_read_terms_2', text: selectTerms, values: [accountId] });
  if (row === undefined) return undefined;
  return {
    accountId: row.account_id,
    version: BigInt(row.version),
    revision: BigInt(row.revision),
    suspended: row.status === 'suspended',
    closed: row.status === 'closed',
    endsAt: row.ends_at,
    plan: termsOf(row),
  };
}
