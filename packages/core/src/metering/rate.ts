import { type Money, money, multiplyMoney } from '../money/index.js';

/**
 * How a call is paid: by an account's plan, by a wallet, or not at all, as one of the calls that a route gives away.
 */
export type Rail = 'key' | 'x402' | 'free';

/** What happens when the included units are used up: refuse, bill the rest, or ask for a payment per call. */
export type Overage = 'reject' | 'invoice' | 'x402';

/** What an account and the provider agreed on, for one version of one plan. */
export interface PlanTerms {
  readonly planId: string;
  readonly slug: string;
  readonly version: number;
  /** Units of a calendar month that the monthly price covers. */
  readonly includedUnits: bigint;
  readonly overage: Overage;
  /**
   * USD for one unit beyond the included ones: invoiced, or asked of a wallet, as `overage` says. Zero is a price: such
   * units are served and cost nothing. Null where none was agreed: a plan that refuses them, or one from before a plan
   * that asks a wallet had to name its price, where a wallet is asked for the route's own.
   */
  readonly overagePrice: Money | null;
  /** USD for one month. */
  readonly monthlyPrice: Money;
}

/** Units split at the allowance, and what the part beyond it costs. */
export interface RatedUnits {
  readonly included: bigint;
  readonly overage: bigint;
  /** USD for one unit of the overage: nothing, unless the plan invoices it. */
  readonly unitPrice: Money;
  /** USD for the overage; the included units are covered by the monthly price. */
  readonly amount: Money;
}

interface Usage {
  /** The units to rate, of the key rail: a call that was paid on the x402 rail is not rated again. */
  readonly units: bigint;
  /** The units of the same period that were rated before them. */
  readonly unitsBefore: bigint;
  readonly terms: PlanTerms;
}

/**
 * Rates `units` that follow `unitsBefore` in their period. However the units of a period are split over calls, the sums
 * are those of one whole. Units beyond a plan that refuses them, or asks a wallet for them, were served by mistake or
 * in flight when the plan changed: the customer never agreed to pay them by invoice, so they cost nothing. Negative
 * units are a bug: RangeError.
 */
export function rate({ units, unitsBefore, terms }: Usage): RatedUnits {
  if (units < 0n || unitsBefore < 0n) throw new RangeError('Units must not be negative.');
  const left = terms.includedUnits > unitsBefore ? terms.includedUnits - unitsBefore : 0n;
  const included = units < left ? units : left;
  const overage = units - included;
  const unitPrice = (terms.overage === 'invoice' ? terms.overagePrice : null) ?? money('USD', 0n);
  return { included, overage, unitPrice, amount: multiplyMoney(unitPrice, overage) };
}
