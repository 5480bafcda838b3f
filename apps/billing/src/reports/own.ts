import { assetCodes, formatMoney, money } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { z } from 'zod';

interface PlanRow {
  readonly account_name: string;
  readonly plan_slug: string;
  readonly plan_version: string;
  readonly included_units: string;
  readonly overage: 'reject' | 'invoice' | 'x402';
  readonly overage_price: string;
  readonly monthly_price: string;
}

/** An account's plan as of `now`, and what its calls by key of the month from `start` came to. */
export async function readOwn(
  sql: Sql,
  account: string,
  { start, now }: { readonly start: Date; readonly now: Date },
): Promise<{ readonly plan: PlanRow | undefined; readonly units: string; readonly amount: string }> {
  const [plan] = await sql.query<PlanRow>({
    text: `select account_name, plan_slug, plan_version, included_units, overage, overage_price, monthly_price
      from billing.terms where account = $1 and effective_at <= $2
      order by revision desc, effective_at desc, place desc limit 1`,
    values: [account, now],
  });
  const [used] = await sql.query<{ units: string; amount: string }>({
    text: `select coalesce(sum(units), 0)::text as units, coalesce(sum(amount), 0)::text as amount from billing.charge_day
      where rail = 'key' and customer = $1 and account = $1 and period_start = $2`,
    values: [account, start],
  });
  return { plan, units: used?.units ?? '0', amount: used?.amount ?? '0' };
}

/** A receipt, with what its call was charged. */
export const ownReceipt = z
  .object({
    id: z.string(),
    place: z.string(),
    at: z.iso.datetime(),
    product: z.string(),
    units: z.string(),
    included: z.string(),
    asset: z.enum(assetCodes),
    amount: z.string(),
    /** As it was signed. */
    receipt: z.string().nullable(),
  })
  .meta({ id: 'OwnReceipt' });

interface ReceiptRow {
  readonly entry_id: string;
  readonly place: string;
  readonly occurred_at: Date;
  readonly period_start: Date;
  readonly sku: string;
  readonly units: string;
  readonly included: string;
  readonly asset: 'USD';
  readonly amount: string;
  readonly jws: string | null;
}

/** The charges of an account's calls by key, the newest month and place first; one more than `limit`. */
export async function readReceipts(
  sql: Sql,
  account: string,
  {
    after,
    limit,
  }: { readonly after: { readonly month: string; readonly place: string } | null; readonly limit: number },
): Promise<readonly ReceiptRow[]> {
  return sql.query<ReceiptRow>({
    text: `
      with own as (
        select entry_id, place, occurred_at, period_start, sku, units, included, asset, amount from billing.charge
        where rail = 'key' and account = $1
          and ($2::timestamptz is null or (period_start, place) < ($2, $3::bigint))
        order by period_start desc, place desc limit $4)
      select own.*, e.jws from own left join billing.entry e on e.place = own.place and e.id = own.entry_id
      order by period_start desc, place desc`,
    values: [account, after?.month ?? null, after?.place ?? null, limit + 1],
  });
}

export function viewReceipt(row: ReceiptRow): z.infer<typeof ownReceipt> {
  return {
    id: row.entry_id,
    place: row.place,
    at: row.occurred_at.toISOString(),
    product: row.sku,
    units: row.units,
    included: row.included,
    asset: row.asset,
    amount: formatMoney(money(row.asset, BigInt(row.amount))),
    receipt: row.jws,
  };
}

/** Who invoices the account now, or did last. */
export async function readProvider(sql: Sql, account: string): Promise<string | undefined> {
  const [row] = await sql.query<{ legal_name: string }>({
    text: `select s.legal_name from billing.contract c join billing.seller s on s.id = c.seller_id
      where c.account = $1 order by c.starts_at desc limit 1`,
    values: [account],
  });
  return row?.legal_name;
}
