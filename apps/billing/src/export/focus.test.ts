import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { focusColumns, focusView } from './focus.js';

/** The columns of FOCUS 1.2 whose feature level is "Mandatory". */
const mandatory = `BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart
  ChargeCategory ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost
  InvoiceIssuerName ListCost PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory ServiceName`;

const usage = {
  account: 'acct_1',
  account_name: 'Acme',
  kind: 'overage',
  period_start: new Date('2026-11-01T00:00:00Z'),
  period_end: new Date('2026-12-01T00:00:00Z'),
  starts: new Date('2026-11-03T00:00:00Z'),
  ends: new Date('2026-11-04T00:00:00Z'),
  sku: 'forecast',
  description: 'forecast, overage',
  quantity: '2',
  unit_price: '250',
  amount: '500',
  invoice: null,
} as const;

describe('a usage export', () => {
  it('has every column that FOCUS 1.2 makes mandatory, and fills those that may not be null', () => {
    const view = focusView(usage, { provider: 'Weather Inc.' });
    expect(Object.keys(view)).toEqual([...focusColumns]);
    for (const column of mandatory.split(/\s+/)) {
      expect([column, view[column as keyof typeof view] === null]).toEqual([column, column === 'ChargeClass']);
    }
  });

  it('tells usage in units at its price, and the price of a plan as a recurring purchase', () => {
    expect(focusView(usage, { provider: 'Weather Inc.' })).toMatchObject({
      BilledCost: '0.000500',
      ChargeCategory: 'Usage',
      ChargeFrequency: 'Usage-Based',
      ChargePeriodStart: '2026-11-03T00:00:00Z',
      BillingPeriodEnd: '2026-12-01T00:00:00Z',
      ConsumedQuantity: '2',
      ConsumedUnit: 'Units',
      ListUnitPrice: '0.000250',
    });
    expect(focusView({ ...usage, kind: 'plan' }, { provider: 'Weather Inc.' })).toMatchObject({
      ChargeCategory: 'Purchase',
      ChargeFrequency: 'Recurring',
      ConsumedQuantity: null,
      ConsumedUnit: null,
    });
  });
});
