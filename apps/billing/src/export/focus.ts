import { formatAtomic } from './decimal.js';

/** What one account used of one product on one day at one price, or another line of its invoice. */
export interface FocusRow {
  readonly account: string;
  readonly account_name: string;
  readonly kind: 'included' | 'overage' | 'plan' | 'commit' | 'adjustment' | 'prepaid';
  /** Of the invoice's period. */
  readonly period_start: Date;
  readonly period_end: Date;
  readonly starts: Date;
  readonly ends: Date;
  /** Empty on what is of no product: adjustments, and what was paid before. */
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
}

interface Nature {
  readonly category: 'Usage' | 'Purchase' | 'Adjustment' | 'Credit';
  readonly frequency: 'Usage-Based' | 'Recurring' | 'One-Time';
  /** What its quantity is of; null where it has none. */
  readonly unit: string | null;
}

const usage = { category: 'Usage', frequency: 'Usage-Based', unit: 'Units' } as const;
const natures: Readonly<Record<FocusRow['kind'], Nature>> = {
  included: usage,
  overage: usage,
  plan: { category: 'Purchase', frequency: 'Recurring', unit: 'Months' },
  commit: { category: 'Purchase', frequency: 'Recurring', unit: 'Commitments' },
  adjustment: { category: 'Adjustment', frequency: 'One-Time', unit: null },
  prepaid: { category: 'Credit', frequency: 'One-Time', unit: null },
};

function natureOf({ kind, amount }: FocusRow): Nature {
  const takesOff = kind === 'adjustment' && BigInt(amount) < 0n;
  return takesOff ? { ...natures.adjustment, category: 'Credit' } : natures[kind];
}

/**
 * A row of FOCUS 1.2. The account's own terms are its list price: list, contracted, billed and effective cost are
 * equal. Units that the plan includes cost nothing; the plan's price, and what is missing to a minimum commit, are
 * purchases of their own. What was paid before is taken off as a credit, so that the rows add up to the invoice.
 */
export function focusView(row: FocusRow, { provider }: FocusContext): FocusView {
  const cost = formatAtomic(BigInt(row.amount), 6);
  const { category, frequency, unit } = natureOf(row);
  const isUsage = category === 'Usage';
  // A credit or an adjustment has no price: it is an amount.
  const price = unit === null ? null : formatAtomic(BigInt(row.unit_price), 6);
  return {
    BilledCost: cost,
    BillingAccountId: row.account,
    BillingAccountName: row.account_name,
    BillingCurrency: 'USD',
    BillingPeriodEnd: instant(row.period_end),
    BillingPeriodStart: instant(row.period_start),
    ChargeCategory: category,
    ChargeClass: null,
    ChargeDescription: row.description,
    ChargeFrequency: frequency,
    ChargePeriodEnd: instant(row.ends),
    ChargePeriodStart: instant(row.starts),
    ConsumedQuantity: isUsage ? row.quantity : null,
    ConsumedUnit: isUsage ? unit : null,
    ContractedCost: cost,
    ContractedUnitPrice: price,
    EffectiveCost: cost,
    InvoiceId: row.invoice,
    InvoiceIssuerName: provider,
    ListCost: cost,
    ListUnitPrice: price,
    PricingCategory: 'Standard',
    PricingQuantity: unit === null ? null : row.quantity,
    PricingUnit: unit,
    ProviderName: provider,
    PublisherName: provider,
    ServiceCategory: 'Integration',
    ServiceName: provider,
    SkuId: row.sku === '' ? null : row.sku,
    SkuPriceId: row.sku === '' ? null : `${row.sku}/${row.kind}/${row.unit_price}`,
  };
}

/** FOCUS's date and time: `YYYY-MM-DDTHH:mm:ssZ` (attribute "Date/Time Format"). */
function instant(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}
