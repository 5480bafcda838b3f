import { expect, test } from '@keyfare/jest-preset/globals';
import { type PricedProduct, priceTerms } from './price-terms.js';

const offer = {
  network: 'eip155:8453',
  asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
  payTo: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  flow: 'authorization',
  price: { min: '0.001000', max: '0.001000' },
};
const product: PricedProduct = {
  sku: 'forecast',
  scope: undefined,
  price: { min: '0.001000', max: '0.001000' },
  units: { min: '1', max: '1' },
  isVariable: false,
  free: undefined,
  accepts: [offer],
};

test('a price has the id that it had in every earlier release: receipts and books may name it', () => {
  expect(priceTerms(product).id).toBe('price_93e800233025241e360d3f4154866f39');
});

test.each<[string, Partial<PricedProduct>]>([
  ['product', { sku: 'other' }],
  ['scope', { scope: 'other' }],
  ['price', { price: { min: '0.001000', max: '0.002000' } }],
  ['number of units', { units: { min: '1', max: '2' } }],
  ['way to tell it', { isVariable: true }],
  ['gift', { free: { calls: 1, per: 'wallet', period: 'day', total: 9 } }],
  ['network', { accepts: [{ ...offer, network: 'eip155:84532' }] }],
  ['asset', { accepts: [{ ...offer, asset: '0x00' }] }],
  ['payee', { accepts: [{ ...offer, payTo: '0x00' }] }],
  ['flow', { accepts: [{ ...offer, flow: 'deferred' }] }],
  ['price of an offer', { accepts: [{ ...offer, price: { min: '0.001000', max: '0.003000' } }] }],
  ['number of offers', { accepts: [offer, { ...offer, flow: 'deferred' }] }],
])('another %s is another price, with an id of its own', (_what, change) => {
  expect(priceTerms({ ...product, ...change }).id).not.toBe(priceTerms(product).id);
});

test('the spelling of a payee, and a scope that is the product, make no other price', () => {
  const same = { ...product, scope: 'forecast', accepts: [{ ...offer, payTo: offer.payTo.toLowerCase() }] };
  expect(priceTerms(same)).toEqual(priceTerms(product));
});
