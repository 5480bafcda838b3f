import { fromMicros, toMicros } from './money.js';

/** What a plan is rated by, as the API has it: prices are `$` and decimal text. */
export interface PlanTerms {
  readonly includedUnits: string;
  readonly overage: 'reject' | 'invoice' | 'x402';
  readonly overagePrice: string | null;
  readonly monthlyPrice: string;
}

export interface PlanCost {
  /** Dollars, decimal text. */
  readonly fee: string;
  /** For the units beyond those included: on the invoice, or paid by wallet where the plan says so. */
  readonly overage: string;
  readonly total: string;
  readonly unitsBeyond: string;
  /** Of those beyond, how many the plan would have refused. */
  readonly unitsRefused: string;
}

export const priceOf = (price: string): string => price.replace(/^\$/, '');

/** What a month of so many units comes to on a plan, exactly, before tax and without a part of a month. */
export function costOn(plan: PlanTerms, units: string): PlanCost {
  const included = BigInt(plan.includedUnits);
  const used = BigInt(units);
  const beyond = used > included ? used - included : 0n;
  const isRefused = plan.overage === 'reject';
  const fee = toMicros(priceOf(plan.monthlyPrice));
  const overage = isRefused ? 0n : beyond * toMicros(priceOf(plan.overagePrice ?? '$0'));
  return {
    fee: fromMicros(fee),
    overage: fromMicros(overage),
    total: fromMicros(fee + overage),
    unitsBeyond: beyond.toString(),
    unitsRefused: isRefused ? beyond.toString() : '0',
  };
}

/** The months that end with this one, the oldest first: `2026-10`. */
export function lastMonths(now: Date, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - (count - 1 - index), 1)).toISOString().slice(0, 7),
  );
}
