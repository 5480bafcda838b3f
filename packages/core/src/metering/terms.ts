import { monthOf, type Period } from '../time/index.js';
import type { PlanTerms } from './rate.js';

/** What an account has agreed, and whether it may call, as of one revision. A principal carries none of it. */
export interface TermsRecord {
  readonly accountId: string;
  /** Counts the account's changes of terms, as the signed entries do. */
  readonly revision: bigint;
  /** Policy refuses a suspended account; its key still proves who it is. */
  readonly suspended: boolean;
  /** Nothing is sold to it any more, whatever the time is. */
  readonly closed: boolean;
  /** From when on nothing is sold to it; null: no end was agreed. */
  readonly endsAt: Date | null;
  readonly plan: PlanTerms;
}

/** The period whose allowance a call at `at` is counted in. Every plan renews with the calendar month, in UTC. */
export function periodOf(_plan: PlanTerms, at: Date): Period {
  return monthOf(at);
}

/**
 * The hard limit of a period in units; null where what goes beyond the included ones is served on: the plan invoices
 * it, or asks a wallet for $0, which is a price like any other and needs no payment.
 */
export function limitOf({ overage, includedUnits, overagePrice }: PlanTerms): bigint | null {
  const isServedOn = overage === 'invoice' || (overage === 'x402' && overagePrice?.atomic === 0n);
  return isServedOn ? null : includedUnits;
}
