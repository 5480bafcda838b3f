import type { SoldRoute } from '../sold-routes.js';

/**
 * `/prices`: each price that is on offer, by its id. Routes that sell a product on the same terms share one;
 * `firstSeen` tells since when a price has been on offer.
 */
export function writePriceList(sold: readonly SoldRoute[], firstSeen: ReadonlyMap<string, Date>): object {
  const entries = sold.flatMap((route) => route.products.map((product) => ({ product, route })));
  const byId = new Map(entries.map(({ product }) => [product.priceId, product]));
  const prices = [...byId].map(([id, { sku, scope, price, units, isVariable, free, accepts }]) => ({
    id,
    sku,
    scope,
    currency: 'USD',
    mode: isVariable ? 'dynamic' : 'fixed',
    price,
    units,
    free,
    accepts,
    routes: entries
      .filter(({ product }) => product.priceId === id)
      .map(({ route: { method, path } }) => ({ method, path })),
    firstSeenAt: firstSeen.get(id)?.toISOString(),
  }));
  return { prices };
}
