import type { Period } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import type { DraftInput } from './draft.js';

interface MonthRow {
  readonly terms: readonly {
    readonly name: string;
    readonly slug: string;
    readonly version: string;
    readonly price: string;
    readonly since: string;
    readonly ends: string | null;
  }[];
  readonly calls: readonly {
    readonly sku: string;
    readonly price: string;
    readonly included: string;
    readonly overage: string;
  }[];
  readonly receipts: string;
  readonly first_entry: string | null;
  readonly last_entry: string | null;
}

/**
 * What an account's invoice is made of: every terms of the account, in the order in which they apply, and the month's
 * charges by key, added up by product and price, and which entries they are. One statement, and so one snapshot: an
 * invoice never has the calls of one moment and the terms of another.
 */
export async function readMonth(tx: Sql, account: string, period: Period): Promise<DraftInput> {
  const [row] = await tx.query<MonthRow>({
    text: `
      with covered as materialized (
        select entry_id, place, sku, unit_price, included, overage from billing.charge
        where rail = 'key' and account = $1 and period_start = $2)
      select
        coalesce((select json_agg(json_build_object('name', account_name, 'slug', plan_slug, 'version', plan_version::text,
            'price', monthly_price::text, 'since', effective_at, 'ends', ends_at) order by revision, effective_at, place)
          from billing.terms where account = $1), '[]') as terms,
        coalesce((select json_agg(json_build_object('sku', sku, 'price', unit_price::text, 'included', included::text,
            'overage', overage::text)) from (
          select sku, unit_price, sum(included) as included, sum(overage) as overage from covered
          group by sku, unit_price) as summed), '[]') as calls,
        (select count(*) from covered)::text as receipts,
        (select entry_id from covered order by place limit 1) as first_entry,
        (select entry_id from covered order by place desc limit 1) as last_entry`,
    values: [account, period.start],
  });
  if (row === undefined) throw new TypeError('the statement answered no row');
  return {
    account,
    period,
    terms: row.terms.map(({ name, slug, version, price, since, ends }) => ({
      accountName: name,
      planSlug: slug,
      planVersion: BigInt(version),
      monthlyPrice: BigInt(price),
      effectiveAt: new Date(since),
      endsAt: ends === null ? null : new Date(ends),
    })),
    calls: row.calls.map(({ sku, price, included, overage }) => ({
      sku,
      unitPrice: BigInt(price),
      included: BigInt(included),
      overage: BigInt(overage),
    })),
    receipts: BigInt(row.receipts),
    firstEntry: row.first_entry,
    lastEntry: row.last_entry,
  };
}
