import { formatAtomic } from './decimal.js';

/** What one account used of one product on one day at one price, or a plan's price for the month. */
export interface FocusRow {
  readonly account: string;
  readonly account_name: string;
  readonly kind: 'included' | 'overage' | 'plan';
  readonly starts: Date;
  readonly ends: Date;
  readonly sku: string;
  readonly description: string;
  readonly quantity: string;
  /** Micro-dollars. */
  readonly unit_price: string;
  readonly amount: string;
  readonly invoice: string | null;
}

/** Columns of FOCUS 1.2: all that are mandatory, and those of the rest that the books can fill. */
export const focusColumns = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'ContractedUnitPrice',
  'EffectiveCost',
  'InvoiceId',
  'InvoiceIssuerName',
  'ListCost',
  'ListUnitPrice',
  'PricingCategory',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'ServiceCategory',
  'ServiceName',
  'SkuId',
  'SkuPriceId',
] as const;

export type FocusView = Readonly<Record<(typeof focusColumns)[number], string | null>>;

interface FocusContext {
  readonly provider: string;
  readonly period: { readonly start: Date; readonly end: Date };
}

/**
 * A row of FOCUS 1.2. The account's own terms are its list price: list, contracted, billed and effective cost are
 * equal. Units that the plan includes cost nothing; the plan's price is a recurring purchase of its own.
 */
export function focusView(row: FocusRow, { provider, period }: FocusContext): FocusView {
  const cost = formatAtomic(BigInt(row.amount), 6);
  const price = formatAtomic(BigInt(row.unit_price), 6);
  const isPlan = row.kind === 'plan';
  const unit = isPlan ? 'Months' : 'Units';
  return {
    BilledCost: cost,
    BillingAccountId: row.account,
    BillingAccountName: row.account_name,
    BillingCurrency: 'USD',
    BillingPeriodEnd: instant(period.end),
    BillingPeriodStart: instant(period.start),
    ChargeCategory: isPlan ? 'Purchase' : 'Usage',
    ChargeClass: null,
    ChargeDescription: row.description,
    ChargeFrequency: isPlan ? 'Recurring' : 'Usage-Based',
    ChargePeriodEnd: instant(row.ends),
    ChargePeriodStart: instant(row.starts),
    ConsumedQuantity: isPlan ? null : row.quantity,
    ConsumedUnit: isPlan ? null : unit,
    ContractedCost: cost,
    ContractedUnitPrice: price,
    EffectiveCost: cost,
    InvoiceId: row.invoice,
    InvoiceIssuerName: provider,
    ListCost: cost,
    ListUnitPrice: price,
    PricingCategory: 'Standard',
    PricingQuantity: row.quantity,
    PricingUnit: unit,
    ProviderName: provider,
    PublisherName: provider,
    ServiceCategory: 'Integration',
    ServiceName: provider,
    SkuId: row.sku,
    SkuPriceId: `${row.sku}/${row.kind}/${row.unit_price}`,
  };
}

/** FOCUS's date and time: `YYYY-MM-DDTHH:mm:ssZ` (attribute "Date/Time Format"). */
function instant(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}
