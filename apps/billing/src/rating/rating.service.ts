import type { Overage } from '@keyfare/core/metering';
import { money } from '@keyfare/core/money';
import { dayOf } from '@keyfare/core/time';
import { bigints, rows, texts, times, uuids } from '@keyfare/db/rows';
import type { Sql } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import type { CallEntry, GoodEntry } from '../entry.js';
import {
  type AgreedPrice,
  type BookedTerms,
  type Charge,
  type OwnPeriod,
  periodKey,
  type Rated,
  rateEntries,
} from './rate-entries.js';

interface TermsRow {
  readonly id: string;
  readonly account: string;
  readonly account_name: string;
  readonly plan_id: string;
  readonly plan_slug: string;
  readonly plan_version: string;
  readonly included_units: string;
  readonly overage: Overage;
  readonly overage_price: string;
  readonly monthly_price: string;
  readonly effective_at: Date;
  readonly ends_at: Date | null;
  readonly revision: string;
  readonly place: string;
}

/** Keeps the terms that accounts have agreed, and turns calls into charges. */
@Injectable()
export class RatingService {
  /** What the entries come to after all that was rated before. Writes nothing. */
  async rate(tx: Sql, entries: readonly GoodEntry[]): Promise<Rated> {
    const calls = entries.flatMap((entry) => (entry.kind === 'call' && entry.receipt.rail === 'key' ? [entry] : []));
    const accounts = [...new Set(calls.map(({ receipt }) => receipt.principal))];
    const [book, prices] = [await readTerms(tx, accounts), await readPrices(tx, accounts)];
    const totals = await this.#readTotals(
      tx,
      new Map(
        calls.map(({ receipt, usage }) => [
          periodKey(receipt.principal, usage.periodStart),
          [receipt.principal, usage.periodStart] as const,
        ]),
      ),
    );
    const periods = await readOwnPeriods(tx, { calls, accounts });
    return rateEntries(entries, { book, prices, periods, totals });
  }

  /** Writes what `rate` answered, within the same transaction. */
  async store(tx: Sql, { terms, charges, totals }: Rated): Promise<void> {
    await this.#storeTerms(tx, terms);
    await this.#storeCharges(tx, charges);
    const periods = [...totals.keys()].map(splitKey);
    if (periods.length === 0) return;
    await tx.query({
      name: 'billing_store_totals',
      text: `insert into billing.period_total (account, period_start, units)
        select * from unnest($1::text[], $2::timestamptz[], $3::numeric[])
        on conflict (account, period_start) do update set units = excluded.units`,
      values: [
        periods.map(([account]) => account),
        periods.map(([, periodStart]) => periodStart),
        [...totals.values()].map((units) => units.toString()),
      ],
    });
  }

  async #readTotals(
    tx: Sql,
    periods: ReadonlyMap<string, readonly [string, Date]>,
  ): Promise<ReadonlyMap<string, bigint>> {
    const wanted = [...periods.values()];
    if (wanted.length === 0) return new Map();
    const found = await tx.query<{ account: string; period_start: Date; units: string }>({
      name: 'billing_read_totals',
      text: `select account, period_start, units from billing.period_total
        join unnest($1::text[], $2::timestamptz[]) as wanted (account, period_start) using (account, period_start)`,
      values: [wanted.map(([account]) => account), wanted.map(([, periodStart]) => periodStart.toISOString())],
    });
    return new Map(found.map((row) => [periodKey(row.account, row.period_start), BigInt(row.units)]));
  }

  async #storeTerms(tx: Sql, terms: readonly BookedTerms[]): Promise<void> {
    if (terms.length === 0) return;
    await tx.query({
      name: 'billing_store_terms',
      text: `insert into billing.terms (id, account, account_name, plan_id, plan_slug, plan_version,
          included_units, overage, overage_price, monthly_price, effective_at, revision, place, ends_at)
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::numeric[],
          $8::text[], $9::numeric[], $10::numeric[], $11::timestamptz[], $12::bigint[], $13::bigint[], $14::timestamptz[])`,
      values: [
        terms.map((row) => row.id),
        terms.map((row) => row.account),
        terms.map((row) => row.accountName),
        terms.map((row) => row.terms.planId),
        terms.map((row) => row.terms.slug),
        terms.map((row) => row.terms.version.toString()),
        terms.map((row) => row.terms.includedUnits.toString()),
        terms.map((row) => row.terms.overage),
        terms.map((row) => row.terms.overagePrice.atomic.toString()),
        terms.map((row) => row.terms.monthlyPrice.atomic.toString()),
        terms.map((row) => row.effectiveAt.toISOString()),
        terms.map((row) => row.revision.toString()),
        terms.map((row) => row.place.toString()),
        terms.map((row) => row.endsAt?.toISOString() ?? null),
      ],
    });
  }

  async #storeCharges(tx: Sql, charges: readonly Charge[]): Promise<void> {
    if (charges.length === 0) return;
    await tx.query({
      name: 'billing_store_charges',
      text: storeCharges,
      values: chargeRows.values(charges),
    });
  }
}

const chargeRows = rows<Charge>({
  entry_id: uuids((charge) => charge.entryId),
  rail: texts((charge) => charge.rail),
  account: texts((charge) => charge.account),
  payer: texts((charge) => charge.payer),
  sku: texts((charge) => charge.sku),
  units: bigints((charge) => charge.units),
  included: bigints((charge) => charge.included),
  overage: bigints((charge) => charge.overage),
  unit_price: texts((charge) => charge.unitPrice?.toString()),
  asset: texts((charge) => charge.asset),
  amount: texts((charge) => charge.amount.toString()),
  terms_id: uuids((charge) => charge.termsId),
  period_start: times((charge) => charge.periodStart),
  billed_in: times((charge) => charge.billedIn),
  occurred_at: times((charge) => charge.occurredAt),
  place: bigints((charge) => charge.place),
});
const storeCharges = `insert into billing.charge (entry_id, rail, account, payer, sku, units, included, overage, unit_price,
    asset, amount, terms_id, period_start, billed_in, occurred_at, place)
  select entry_id, rail, account, payer, sku, units, included, overage, unit_price::numeric, asset, amount::numeric,
    terms_id, period_start, billed_in, occurred_at, place
  from ${chargeRows.source()}`;

/** The terms of these accounts, in the order of the feed. */
export async function readTerms(tx: Sql, accounts: readonly string[]): Promise<readonly BookedTerms[]> {
  if (accounts.length === 0) return [];
  const found = await tx.query<TermsRow>({
    name: 'billing_read_account_terms',
    text: 'select * from billing.terms where account = any($1::text[]) order by place',
    values: [accounts],
  });
  return found.map((row) => ({
    id: row.id,
    account: row.account,
    accountName: row.account_name,
    effectiveAt: row.effective_at,
    terms: {
      planId: row.plan_id,
      slug: row.plan_slug,
      version: Number(row.plan_version),
      includedUnits: BigInt(row.included_units),
      overage: row.overage,
      overagePrice: money('USD', BigInt(row.overage_price)),
      monthlyPrice: money('USD', BigInt(row.monthly_price)),
    },
    endsAt: row.ends_at,
    revision: BigInt(row.revision),
    place: BigInt(row.place),
  }));
}

/** The prices that contracts of these accounts have of their own. */
async function readPrices(tx: Sql, accounts: readonly string[]): Promise<readonly AgreedPrice[]> {
  if (accounts.length === 0) return [];
  const found = await tx.query<Omit<AgreedPrice, 'unitPrice'> & { readonly unitPrice: string }>({
    name: 'billing_read_contract_prices',
    text: `select * from (
        select c.account, p.sku, p.unit_price::text as "unitPrice", p.valid_from as "from",
          least(lead(p.valid_from) over (partition by p.contract_id, p.sku order by p.valid_from), c.ends_at) as until
        from billing.contract_price p join billing.contract c on c.id = p.contract_id
        where c.account = any($1::text[])) as price
      where "unitPrice" is not null`,
    values: [accounts],
  });
  return found.map(({ unitPrice, ...row }) => Object.assign(row, { unitPrice: BigInt(unitPrice) }));
}

/** The periods in which these calls were made, of accounts that have others than months in UTC. */
async function readOwnPeriods(
  tx: Sql,
  { calls, accounts }: { readonly calls: readonly CallEntry[]; readonly accounts: readonly string[] },
): Promise<readonly OwnPeriod[]> {
  if (accounts.length === 0) return [];
  const own = await tx.query<{ account: string }>({
    name: 'billing_read_cycles',
    text: 'select distinct account from billing.billing_cycle where account = any($1::text[])',
    values: [accounts],
  });
  if (own.length === 0) return [];
  const owners = new Set(own.map(({ account }) => account));
  // By their days, so that a call of another age than the rest costs one period and not all between.
  const days = new Map<string, readonly [string, Date]>();
  for (const { receipt, usage } of calls) {
    const { start } = dayOf(usage.occurredAt);
    if (owners.has(receipt.principal)) days.set(periodKey(receipt.principal, start), [receipt.principal, start]);
  }
  return tx.query<OwnPeriod>({
    name: 'billing_read_own_periods',
    text: `select distinct d.account, p.period_start as start, p.period_end as end
      from unnest($1::text[], $2::timestamptz[]) as d (account, day)
      cross join lateral billing.periods_of(d.account, d.day, d.day + interval '1 day') as p`,
    values: [[...days.values()].map(([account]) => account), [...days.values()].map(([, day]) => day.toISOString())],
  });
}

/** The inverse of `periodKey`. */
function splitKey(key: string): readonly [account: string, periodStart: string] {
  const [periodStart = '', account = ''] = key.split(' ', 2);
  return [account, periodStart];
}
