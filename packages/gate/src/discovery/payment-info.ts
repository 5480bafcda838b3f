import type { SoldRoute } from '../sold-routes.js';

/**
 * `x-payment-info` of an operation, which crawlers read (the specification of `@agentcash/discovery` 1.7, §7): a price
 * or its bounds, and the protocols. What they do not know they pass over: here, each product and each way to pay for
 * it.
 */
export function paymentInfo({ products, price, currency, choice, free }: SoldRoute): object {
  const { min, max } = price;
  const isFixed = min === max && products.every(({ isVariable }) => !isVariable);
  const asked = isFixed ? { mode: 'fixed', currency, amount: max } : { mode: 'dynamic', currency, min, max };
  return {
    price: asked,
    protocols: [{ x402: {} }],
    skus: products.map(({ isVariable: _isVariable, free: _free, ...product }) => product),
    ...(choice && { choice }),
    ...(free && { free }),
  };
}
