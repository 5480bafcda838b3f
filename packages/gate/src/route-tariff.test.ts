import { money } from '@keyfare/core/money';
import { expect, it } from '@keyfare/jest-preset/globals';
import { Priced, tariffFaultsOf, tariffOf } from './route-tariff.js';

class Routes {
  @Priced({ sku: 'same', price: '$0.001', accepts: [{}, { flow: 'deferred', price: '$0.0009' }] })
  same(): void {}

  @Priced({ sku: 'told', price: { max: '$1', of: ({ query }) => String(query['price']) } })
  told(): void {}

  @Priced({
    skus: { small: { price: '$0.001' }, large: { price: { max: '$1', of: () => '$0.002' } } },
    choose: { query: 'size', values: { s: 'small', l: 'large' } },
  })
  chosen(): void {}
}

const tariff = (name: keyof Routes) => {
  const found = tariffOf(Routes.prototype[name], Routes);
  if (found?.kind !== 'priced') throw new Error(`${name} is not priced`);
  return found;
};
const asking = (query: object) => ({ method: 'GET', params: {}, query, body: undefined });

it('a price that is the same for every request is quoted once: calls share one frozen quote', () => {
  const { quote } = tariff('same');
  expect(quote).toMatchObject({ sku: 'same', price: money('USDC', 1_000n), units: 1n, scope: 'same' });
  for (const part of [quote, quote?.offers, ...(quote?.offers ?? [])]) expect(Object.isFrozen(part)).toBe(true);
  expect(tariff('same').quoteOf(asking({}))).toBe(quote);
  const small = tariff('chosen').quoteOf(asking({ size: 's' }));
  expect(tariff('chosen').quoteOf(asking({ size: 's' }))).toBe(small);
  expect(small.sku).toBe('small');
});

it('a price that a function tells is quoted for each request', () => {
  expect(tariff('told').quote).toBeUndefined();
  expect(tariff('told').quoteOf(asking({ price: '$0.5' })).price).toEqual(money('USDC', 500_000n));
  expect(tariff('told').quoteOf(asking({ price: '$0.25' })).price).toEqual(money('USDC', 250_000n));
  expect(tariff('chosen').quote).toBeUndefined();
  expect(tariff('chosen').quoteOf(asking({ size: 'l' })).price).toEqual(money('USDC', 2_000n));
});

class Unreachable {
  @Priced({ sku: 'a', price: '$0.001', scope: '' })
  empty(): void {}

  @Priced({ sku: 'b', price: '$0.001', scope: 'all of "it"' })
  quoted(): void {}

  @Priced({ sku: 'c', price: '$0.001', scope: 'weather/forecast.v1' })
  fine(): void {}
}

it('a scope that no key can have is a fault of the route, for keys with scopes could never call it', () => {
  const faultsOf = (name: keyof Unreachable) => tariffFaultsOf(Unreachable.prototype[name]);
  expect(faultsOf('empty')).toEqual(['scope "" is none that a key can have']);
  expect(faultsOf('quoted')).toEqual([String.raw`scope "all of \"it\"" is none that a key can have`]);
  expect(faultsOf('fine')).toEqual([]);
});
