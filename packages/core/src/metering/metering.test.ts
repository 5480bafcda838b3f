import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { type Money, money } from '../money/index.js';
import {
  constant,
  type Figure,
  isConstant,
  limitOf,
  type PlanTerms,
  type PricedRequest,
  type Product,
  priceOfOffer,
  quoteProduct,
  rate,
  type TariffOffer,
} from './index.js';

const units = fc.bigInt({ min: 0n, max: 10n ** 12n });
const terms = fc.record({
  planId: fc.constant('plan_1'),
  slug: fc.constant('team'),
  version: fc.constant(1),
  includedUnits: fc.oneof(units, fc.bigInt({ min: 0n, max: 50n })),
  overage: fc.constantFrom('reject', 'invoice', 'x402'),
  overagePrice: units.map((atomic) => money('USD', atomic)),
  monthlyPrice: fc.constant(money('USD', 0n)),
}) satisfies fc.Arbitrary<PlanTerms>;

test('however the units of a period are split over calls, the sums are those of one whole', () => {
  const calls = fc.array(fc.oneof(units, fc.bigInt({ min: 0n, max: 9n })), { maxLength: 30 });
  fc.assert(
    fc.property(calls, units, terms, (split, before, plan) => {
      let unitsBefore = before;
      const sum = { included: 0n, overage: 0n, amount: 0n };
      for (const part of split) {
        const rated = rate({ units: part, unitsBefore, terms: plan });
        unitsBefore += part;
        sum.included += rated.included;
        sum.overage += rated.overage;
        sum.amount += rated.amount.atomic;
      }
      const whole = rate({ units: unitsBefore - before, unitsBefore: before, terms: plan });
      expect(sum).toEqual({ included: whole.included, overage: whole.overage, amount: whole.amount.atomic });
    }),
    { numRuns: 300 },
  );
});

test('no unit is lost or rated twice, and none is overage while the allowance lasts', () => {
  fc.assert(
    fc.property(units, units, terms, (count, unitsBefore, plan) => {
      const { included, overage, unitPrice, amount } = rate({ units: count, unitsBefore, terms: plan });
      expect(included + overage).toBe(count);
      expect(included >= 0n && overage >= 0n).toBe(true);
      expect(overage === 0n || unitsBefore + included >= plan.includedUnits).toBe(true);
      expect(included === 0n || unitsBefore + included <= plan.includedUnits).toBe(true);
      expect(amount).toEqual(money('USD', unitPrice.atomic * overage));
      expect(unitPrice).toEqual(plan.overage === 'invoice' ? plan.overagePrice : money('USD', 0n));
    }),
  );
});

const team: PlanTerms = {
  planId: 'plan_1',
  slug: 'team',
  version: 1,
  includedUnits: 100n,
  overage: 'invoice',
  overagePrice: money('USD', 250n),
  monthlyPrice: money('USD', 0n),
};

test('a call that crosses the limit is split at the limit', () => {
  expect(rate({ units: 10n, unitsBefore: 95n, terms: team })).toEqual({
    included: 5n,
    overage: 5n,
    unitPrice: money('USD', 250n),
    amount: money('USD', 1250n),
  });
});

test.each(['reject', 'x402'] as const)('a unit beyond a plan that says `%s` is counted and not invoiced', (overage) => {
  expect(rate({ units: 10n, unitsBefore: 95n, terms: { ...team, overage } })).toEqual({
    included: 5n,
    overage: 5n,
    unitPrice: money('USD', 0n),
    amount: money('USD', 0n),
  });
});

test.each([
  ['reject', null, 100n],
  ['reject', 0n, 100n],
  ['invoice', 250n, null],
  ['invoice', 0n, null],
  ['x402', 250n, 100n],
  ['x402', 0n, null],
  ['x402', null, 100n],
] as const)(
  'a plan that says %s at %s micro-dollars has the limit %s: zero is a price, and not set is none',
  (overage, price, limit) => {
    const plan = { ...team, overage, overagePrice: price === null ? null : money('USD', price) };
    expect(limitOf(plan)).toBe(limit);
    expect(rate({ units: 1n, unitsBefore: 100n, terms: plan }).amount.atomic).toBe(overage === 'invoice' ? price : 0n);
  },
);

test('negative units are a bug, not a refund', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -1000n, max: -1n }), terms, (count, plan) => {
      expect(() => rate({ units: count, unitsBefore: 0n, terms: plan })).toThrow(RangeError);
      expect(() => rate({ units: 0n, unitsBefore: count, terms: plan })).toThrow(RangeError);
    }),
  );
});

const request: PricedRequest = { method: 'GET', params: {}, query: { days: '3' }, body: undefined };
const forecast: Product = {
  sku: 'forecast',
  price: constant(money('USD', 1_000n)),
  units: constant(2n),
  scope: 'weather',
};

test('a quote asks for one USDC for each dollar of the tariff', () => {
  expect(isConstant(forecast)).toBe(true);
  expect(quoteProduct(forecast, request)).toEqual({
    sku: 'forecast',
    units: 2n,
    price: money('USDC', 1000n),
    scope: 'weather',
  });
});

test('a quote takes the price of an offer in EURC as it is declared, and converts nothing', () => {
  const offers = [{}, { asset: 'EURC', price: constant(money('EURC', 900n)) }] as const;
  const quote = quoteProduct({ ...forecast, offers }, request);
  expect(quote.price).toEqual(money('USDC', 1_000n));
  expect(quote.offers).toEqual([{}, { asset: 'EURC', price: money('EURC', 900n) }]);
  expect(quote.offers?.map((offer) => priceOfOffer(quote, offer))).toEqual([
    money('USDC', 1_000n),
    money('EURC', 900n),
  ]);
  for (const offer of [
    { asset: 'EURC' },
    { asset: 'EURC', price: money('USDC', 900n) },
    { price: money('EURC', 1n) },
  ]) {
    expect(() => priceOfOffer(quote, offer as TariffOffer)).toThrow(TypeError);
  }
});

test('a quote asks each function of a product once, and takes what it tells of this request', () => {
  let asked = 0;
  const days = ({ query }: PricedRequest): bigint => {
    asked += 1;
    return BigInt(String(query['days']));
  };
  const bounds = { min: 1n, max: 7n };
  const priceOf = (perDay: bigint): Figure<Money> => ({
    min: money('USD', perDay),
    max: money('USD', 7n * perDay),
    of: (asking) => money('USD', perDay * days(asking)),
  });
  const product: Product = {
    ...forecast,
    price: priceOf(100n),
    units: { ...bounds, of: days },
    offers: [{ flow: 'deferred', price: priceOf(90n) }, { flow: 'upfront' }],
  };
  expect(isConstant(product)).toBe(false);
  expect(quoteProduct(product, request)).toEqual({
    sku: 'forecast',
    units: 3n,
    price: money('USDC', 300n),
    scope: 'weather',
    offers: [{ flow: 'deferred', price: money('USDC', 270n) }, { flow: 'upfront' }],
  });
  expect(asked).toBe(3);
});
