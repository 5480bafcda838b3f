import type { SoldRoute } from '../sold-routes.js';

/**
 * The document at `/.well-known/x402`. No specification fixes its shape yet (x402-foundation/x402, issues 869, 2582 and
 * 2978), so it has the members of the two that crawlers read, and no member means different things in them: `version`
 * and `resources` (URLs), as x402scan reads them, and `items`, as a facilitator lists resources in `GET
 * /discovery/resources`.
 */
export function writeWellKnown(
  sold: readonly SoldRoute[],
  { publicUrl, title, description }: { publicUrl: string; title: string; description: string },
): object {
  return {
    version: 1,
    x402Version: 2,
    kind: 'resource-server',
    name: title,
    description,
    resources: [...new Set(sold.map(({ path }) => `${publicUrl}${path}`))],
    instructions: `${publicUrl}/llms.txt`,
    openapi: `${publicUrl}/openapi.json`,
    items: sold.map(({ method, path, products, mimeType }) => ({
      resource: `${publicUrl}${path}`,
      type: 'http',
      method,
      x402Version: 2,
      mimeType,
      accepts: products.flatMap(({ sku, accepts }) =>
        accepts.map(({ amount, price: _price, currency: _currency, symbol: _symbol, flow: _flow, ...offer }) => ({
          ...offer,
          // As much as a call may cost; its 402 says how much it does.
          amount: amount.max,
          ...(amount.min !== amount.max && { minAmount: amount.min }),
          sku,
        })),
      ),
    })),
  };
}
