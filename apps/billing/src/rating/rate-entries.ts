import { type PlanTerms, type Rail, rate } from '@keyfare/core/metering';
import { type AssetCode, type Money, money } from '@keyfare/core/money';
import type { CallEntry, EntryFault, GoodEntry, TermsEntry } from '../entry.js';
import { codeOf } from '../token.js';

/** Terms as an entry says them: there is always a price, of which nothing is sold where none was agreed. */
export type SignedTerms = PlanTerms & { readonly overagePrice: Money };

/** Terms of an account, and from when they apply. */
export interface BookedTerms {
  readonly id: string;
  readonly account: string;
  readonly accountName: string;
  readonly effectiveAt: Date;
  readonly terms: SignedTerms;
  /** From when on nothing is sold to the account; null: no end was agreed. */
  readonly endsAt: Date | null;
  /** Counts the account's changes of terms; 0 for terms from before they were counted. */
  readonly revision: bigint;
  readonly place: bigint;
}

/** A rated call. */
export interface Charge {
  readonly entryId: string;
  readonly rail: Rail;
  readonly account: string | null;
  readonly payer: string | null;
  readonly sku: string;
  readonly units: bigint;
  readonly included: bigint;
  readonly overage: bigint;
  readonly unitPrice: bigint | null;
  readonly asset: AssetCode;
  readonly amount: bigint;
  readonly termsId: string | null;
  readonly periodStart: Date;
  /** The start of the period whose invoice it is for; null: the month. */
  readonly billedIn: Date | null;
  readonly occurredAt: Date;
  readonly place: bigint;
}

/** A period of the invoices of an account that has others than months in UTC. */
export interface OwnPeriod {
  readonly account: string;
  readonly start: Date;
  readonly end: Date;
}

/** The price that a contract has for units of a product beyond the plan, in place of the plan's: `[from, until)`. */
export interface AgreedPrice {
  readonly account: string;
  readonly sku: string;
  readonly unitPrice: bigint;
  readonly from: Date;
  readonly until: Date | null;
}

/** What was rated before: the terms of the accounts concerned, and how far their months are filled. */
export interface RatingState {
  readonly book: readonly BookedTerms[];
  /** Of contracts: at most one of an account and product at a time. */
  readonly prices: readonly AgreedPrice[];
  /** Of accounts that have their own: those in which calls were made. */
  readonly periods: readonly OwnPeriod[];
  readonly totals: ReadonlyMap<string, bigint>;
}

/** Why a call is not charged. */
export interface Unrated {
  readonly fault: EntryFault;
  readonly detail: string;
}

/** What rating makes of entries. */
export interface Rated {
  readonly terms: readonly BookedTerms[];
  readonly charges: readonly Charge[];
  /** The new running totals, of the months that changed. */
  readonly totals: ReadonlyMap<string, bigint>;
  /** Calls of accounts without terms or after their end, and calls whose price is beyond any sum of money. */
  readonly unrated: ReadonlyMap<string, Unrated>;
}

// A column numeric(78,0) holds the sum of more such amounts than there will ever be calls.
const largestAmount = 10n ** 60n;

/** The key of a month's running total. */
export function periodKey(account: string, periodStart: Date): string {
  return `${periodStart.toISOString()} ${account}`;
}

/**
 * Rates entries, one after the other in the order of the feed. A call by key takes its units where the month's earlier
 * calls ended; it is priced by the terms in force when it was made, as far as the feed had told of them before the
 * call, and by the price of the contract in force then, which takes the place of the plan's for units beyond it. So the
 * outcome depends on the entries, their order and the contracts alone, not on how they were divided into batches.
 */
export function rateEntries(entries: readonly GoodEntry[], state: RatingState): Rated {
  const book = [...state.book];
  const terms: BookedTerms[] = [];
  const charges: Charge[] = [];
  const totals = new Map<string, bigint>();
  const unrated = new Map<string, Unrated>();
  const own = groupPeriods(state.periods);
  for (const entry of entries) {
    if (entry.kind === 'terms') {
      const booked = bookTerms(entry);
      book.push(booked);
      terms.push(booked);
    } else if (entry.kind === 'call' && entry.receipt.rail === 'x402') {
      const { receipt } = entry;
      charges.push(chargePaidCall(entry, money(codeOf(receipt), BigInt(receipt.amount))));
    } else if (entry.kind === 'call' && entry.receipt.rail === 'free') {
      charges.push(chargeFreeCall(entry));
    } else if (entry.kind === 'call') {
      const key = periodKey(entry.receipt.principal, entry.usage.periodStart);
      const before = totals.get(key) ?? state.totals.get(key) ?? 0n;
      const inForce = findTerms(book, entry.receipt.principal, entry.usage.occurredAt);
      const price = findPrice(state.prices, entry);
      const rated = rateKeyCall(entry, inForce, {
        before,
        price,
        billedIn: findPeriod(own.get(entry.receipt.principal) ?? [], entry),
      });
      if ('fault' in rated) {
        unrated.set(entry.id, rated);
      } else {
        charges.push(rated);
        totals.set(key, before + rated.units);
      }
    }
  }
  return { terms, charges, totals, unrated };
}

/** The price of the contract in force when the call was made; undefined where it is the plan's. */
function findPrice(prices: readonly AgreedPrice[], { usage }: CallEntry): bigint | undefined {
  const { account, sku, occurredAt: at } = usage;
  return prices.find((price) => {
    const isOf = price.account === account && price.sku === sku;
    return isOf && price.from <= at && (price.until === null || at < price.until);
  })?.unitPrice;
}

function groupPeriods(periods: readonly OwnPeriod[]): ReadonlyMap<string, readonly OwnPeriod[]> {
  const byAccount = new Map<string, OwnPeriod[]>();
  for (const period of periods) {
    const known = byAccount.get(period.account);
    if (known === undefined) byAccount.set(period.account, [period]);
    else known.push(period);
  }
  return byAccount;
}

/** The start of which of the account's own periods the call was made in; null where that is the month's. */
function findPeriod(periods: readonly OwnPeriod[], { usage }: CallEntry): Date | null {
  const { occurredAt: at, periodStart } = usage;
  const start = periods.find((period) => period.start <= at && at < period.end)?.start;
  return start === undefined || start.getTime() === periodStart.getTime() ? null : start;
}

/** How far the month was filled before the call, the price of its contract, if any, and whose invoice it is for. */
interface Standing {
  readonly before: bigint;
  readonly price: bigint | undefined;
  readonly billedIn: Date | null;
}

function rateKeyCall(entry: CallEntry, inForce: BookedTerms | undefined, standing: Standing): Charge | Unrated {
  if (inForce === undefined) {
    return { fault: 'terms-missing', detail: 'No terms of the account were known when the call was read.' };
  }
  const { endsAt } = inForce;
  if (endsAt !== null && entry.usage.occurredAt >= endsAt) {
    const detail = `The contract of the account had ended at ${endsAt.toISOString()} when the call was made.`;
    return { fault: 'account-ended', detail };
  }
  const charge = chargeKeyCall(entry, inForce, standing);
  if (charge.amount <= largestAmount) return charge;
  return { fault: 'terms-missing', detail: 'The price of the call is beyond any sum of money.' };
}

function bookTerms({ id, place, terms }: TermsEntry): BookedTerms {
  return {
    id,
    account: terms.account,
    accountName: terms.accountName,
    effectiveAt: new Date(terms.effectiveAt * 1_000),
    terms: {
      planId: terms.plan.id,
      slug: terms.plan.slug,
      version: terms.plan.version,
      includedUnits: BigInt(terms.includedUnits),
      overage: terms.overage,
      overagePrice: usd(terms.overagePrice),
      monthlyPrice: usd(terms.monthlyPrice),
    },
    endsAt: terms.endsAt === undefined ? null : new Date(terms.endsAt * 1_000),
    revision: BigInt(terms.revision ?? 0),
    place,
  };
}

function usd(microDollars: string): Money {
  return money('USD', BigInt(microDollars));
}

/**
 * The terms in force at `at`: of those that apply by then the last one by revision, which is the order in which the API
 * changed them. Terms from before revisions were counted come first, in the order in which they apply. The first terms
 * hold for what came before them too: the call was served, by a clock that was behind.
 */
function findTerms(book: readonly BookedTerms[], account: string, at: Date): BookedTerms | undefined {
  let first: BookedTerms | undefined;
  let found: BookedTerms | undefined;
  for (const candidate of book) {
    if (candidate.account !== account) continue;
    if (first === undefined || isBefore(candidate, first)) first = candidate;
    if (candidate.effectiveAt > at) continue;
    if (found === undefined || !isBefore(candidate, found)) found = candidate;
  }
  return found ?? first;
}

function isBefore(a: BookedTerms, b: BookedTerms): boolean {
  if (a.revision !== b.revision) return a.revision < b.revision;
  if (a.effectiveAt.getTime() !== b.effectiveAt.getTime()) return a.effectiveAt < b.effectiveAt;
  return a.place < b.place;
}

function chargeKeyCall(
  { id, place, usage }: CallEntry,
  { id: termsId, terms: plan }: BookedTerms,
  { before, price, billedIn }: Standing,
): Charge {
  const terms = price === undefined ? plan : { ...plan, overagePrice: money('USD', price) };
  const { included, overage, unitPrice, amount } = rate({ units: usage.units, unitsBefore: before, terms });
  return {
    entryId: id,
    rail: 'key',
    account: usage.account,
    payer: null,
    sku: usage.sku,
    units: usage.units,
    included,
    overage,
    unitPrice: unitPrice.atomic,
    asset: 'USD',
    amount: amount.atomic,
    termsId,
    periodStart: usage.periodStart,
    billedIn,
    occurredAt: usage.occurredAt,
    place,
  };
}

/** A paid call costs what was paid for it; the plan of an account that it is linked to has no part in that. */
function chargePaidCall(entry: CallEntry, { asset, atomic: amount }: Money): Charge {
  return chargeAlone(entry, { rail: 'x402', asset, amount });
}

/** A call that its route gave away. */
function chargeFreeCall(entry: CallEntry): Charge {
  return chargeAlone(entry, { rail: 'free', asset: 'USD', amount: 0n });
}

/** A call that no plan has a part in. */
function chargeAlone({ id, place, usage }: CallEntry, price: Pick<Charge, 'rail' | 'asset' | 'amount'>): Charge {
  return {
    entryId: id,
    ...price,
    account: usage.account,
    payer: usage.payer,
    sku: usage.sku,
    units: usage.units,
    included: 0n,
    overage: 0n,
    unitPrice: null,
    termsId: null,
    periodStart: usage.periodStart,
    billedIn: null,
    occurredAt: usage.occurredAt,
    place,
  };
}
