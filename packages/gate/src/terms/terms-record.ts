import type { Overage, TermsRecord } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { overagePriceOf } from './plan.service.js';

/** Terms with the version of their account's row, which counts suspensions too. */
export interface VersionedTerms extends TermsRecord {
  readonly version: bigint;
}

interface TermsRow {
  account_id: string;
  version: string;
  revision: string;
  status: 'active' | 'suspended';
  plan_id: string;
  slug: string;
  plan_version: number;
  included_units: string;
  overage: Overage;
  overage_price: string;
  overage_is_priced: boolean;
  monthly_price: string;
}

const selectTerms = `
  select a.id as account_id, a.version, a.revision, a.status, p.id as plan_id, p.slug, p.version as plan_version,
    p.included_units, p.overage, p.overage_price, p.overage_is_priced, p.monthly_price
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
    suspended: row.status !== 'active',
    plan: {
      planId: row.plan_id,
      slug: row.slug,
      version: row.plan_version,
      includedUnits: BigInt(row.included_units),
      overage: row.overage,
      overagePrice: overagePriceOf({
        overage: row.overage,
        overagePrice: BigInt(row.overage_price),
        overageIsPriced: row.overage_is_priced,
      }),
      monthlyPrice: money('USD', BigInt(row.monthly_price)),
    },
  };
}
