import type { SoldRoute } from '../sold-routes.js';

/**
 * `/prices`: each price that is on offer, by its id. Routes that sell a product on the same terms share one; `firstSeen` tells
 * since when a price has been on offer.
 */
export function writePriceList(sold: readonly SoldRoute[], firstSeen: ReadonlyMap<string, Date>): object {
  const entries = sold.flatMap((route) => route.products.map((product) => ({ product, route })));
  const ids = [...new Set(entries.map(({ product }) => product.priceId))];
  const prices = ids.flatMap((id) => {
    const own = entries.filter(({ product }) => product.priceId === id);
    const [first] = own;
    if (first === undefined) return [];
    const { priceId: _, isVariable, ...product } = first.product;
    return {
      id,
      ...product,
      currency: 'USD',
      mode: isVariable ? 'dynamic' : 'fixed',
      routes: own.map(({ route: { method, path } }) => ({ method, path })),
      firstSeenAt: firstSeen.get(id)?.toISOString(),
    };
  });
  return { prices };
}
