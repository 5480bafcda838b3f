import type { Sql } from '@keyfare/db/sql';
import { billedCharges } from '../billed-charges.js';
import { type BillingPeriod, nameOfPeriod } from '../billing-periods.js';
import { openAdjustments } from '../open-adjustments.js';
import { prepaidBalance } from '../prepaid.sql.js';
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
    readonly late: string | null;
  }[];
  readonly adjustments: readonly {
    readonly id: string;
    readonly description: string;
    readonly amount: string;
    readonly left: string;
    readonly prepaid: boolean;
  }[];
  readonly prepaid: string;
  readonly commit: { readonly amount: string; readonly since: string; readonly until: string } | null;
  readonly receipts: string;
  readonly first_entry: string | null;
  readonly last_entry: string | null;
}

/**
 * What an account's invoice is made of: every terms of the account, in the order in which they apply, the commit of its
 * contract, the adjustments that are for it, and the period's charges by key, with those of earlier ones that were too
 * late for theirs, added up by product and price, and which entries they are. One statement, and so one snapshot: an
 * invoice never has the calls of one moment and the terms of another.
 */
export async function readMonth(tx: Sql, account: string, period: BillingPeriod): Promise<DraftInput> {
  const [row] = await tx.query<MonthRow>({
    text: `
      with ${billedCharges('$1', '$2')},
      ${openAdjustments('$1')},
      covered as materialized (
        select entry_id, place, sku, unit_price, included, overage,
          case when used_in <> month then ${nameOfPeriod('$1', 'used_in')} end as late
        from billed where month = $2)
      select
        coalesce((select json_agg(json_build_object('name', account_name, 'slug', plan_slug, 'version', plan_version::text,
            'price', monthly_price::text, 'since', effective_at, 'ends', ends_at) order by revision, effective_at, place)
          from billing.terms where account = $1), '[]') as terms,
        coalesce((select json_agg(json_build_object('sku', sku, 'price', unit_price::text, 'included', included::text,
            'overage', overage::text, 'late', late)) from (
          select sku, unit_price, sum(included) as included, sum(overage) as overage, late from covered
          group by sku, unit_price, late) as summed), '[]') as calls,
        coalesce((select json_agg(json_build_object('id', id, 'description', description, 'amount', amount::text,
            'left', "left"::text, 'prepaid', prepaid) order by made_at, id) from adjusting where month = $2), '[]') as adjustments,
        (select json_build_object('amount', k.amount::text, 'since', greatest(c.starts_at, $2),
            'until', least(c.ends_at, $3))
          from billing.contract c
          join lateral (
            select amount from billing.contract_commit where contract_id = c.id and valid_from <= $2
            order by valid_from desc limit 1) as k on k.amount > 0
          where c.account = $1 and c.starts_at < $3 and coalesce(c.ends_at, 'infinity') > $2
          order by c.starts_at desc limit 1) as commit,
        ${prepaidBalance('$1')}::text as prepaid,
        (select count(*) from covered)::text as receipts,
        (select entry_id from covered order by place limit 1) as first_entry,
        (select entry_id from covered order by place desc limit 1) as last_entry`,
    values: [account, period.start, period.end],
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
    calls: row.calls.map(({ sku, price, included, overage, late }) => ({
      sku,
      unitPrice: BigInt(price),
      included: BigInt(included),
      overage: BigInt(overage),
      lateFrom: late ?? undefined,
    })),
    commit: row.commit && {
      amount: BigInt(row.commit.amount),
      since: new Date(row.commit.since),
      until: new Date(row.commit.until),
    },
    adjustments: row.adjustments.map(({ id, description, amount, left, prepaid }) => {
      return { id, description, amount: BigInt(amount), left: BigInt(left), prepaid };
    }),
    prepaid: BigInt(row.prepaid),
    receipts: BigInt(row.receipts),
    firstEntry: row.first_entry,
    lastEntry: row.last_entry,
  };
}
