import type { Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import type { DraftInput, InvoicedTerms } from './draft.js';

interface TermsRow {
  readonly account_name: string;
  readonly plan_slug: string;
  readonly plan_version: string;
  readonly monthly_price: string;
  readonly effective_at: Date;
}

interface CallsRow {
  readonly sku: string;
  readonly unit_price: string;
  readonly included: string;
  readonly overage: string;
}

interface Covered {
  readonly receipts: string;
  readonly first_entry: string | null;
  readonly last_entry: string | null;
}

/** Every terms of an account, in the order in which they apply. */
export async function readTerms(tx: Sql, account: string): Promise<readonly InvoicedTerms[]> {
  const rows = await tx.query<TermsRow>({
    text: `select account_name, plan_slug, plan_version, monthly_price, effective_at from billing.price_book
      where account = $1 order by revision, effective_at, place`,
    values: [account],
  });
  return rows.map((row) => ({
    accountName: row.account_name,
    planSlug: row.plan_slug,
    planVersion: BigInt(row.plan_version),
    monthlyPrice: BigInt(row.monthly_price),
    effectiveAt: row.effective_at,
  }));
}

/** The charges of an account's month by key, added up by product and price, and which entries they are. */
export async function readCalls(
  tx: Sql,
  account: string,
  { start }: Period,
): Promise<Pick<DraftInput, 'calls' | 'receipts' | 'firstEntry' | 'lastEntry'>> {
  const rows = await tx.query<CallsRow>({
    text: `select sku, unit_price, sum(included)::text as included, sum(overage)::text as overage
      from billing.charge where rail = 'key' and account = $1 and period_start = $2 group by sku, unit_price`,
    values: [account, start],
  });
  const [covered] = await tx.query<Covered>({
    text: `with covered as (
        select entry_id, place from billing.charge
        where rail = 'key' and account = $1 and period_start = $2)
      select (select count(*) from covered)::text as receipts,
        (select entry_id from covered order by place limit 1) as first_entry,
        (select entry_id from covered order by place desc limit 1) as last_entry`,
    values: [account, start],
  });
  return {
    calls: rows.map((row) => ({
      sku: row.sku,
      unitPrice: BigInt(row.unit_price),
      included: BigInt(row.included),
      overage: BigInt(row.overage),
    })),
    receipts: BigInt(covered?.receipts ?? 0),
    firstEntry: covered?.first_entry ?? null,
    lastEntry: covered?.last_entry ?? null,
  };
}
