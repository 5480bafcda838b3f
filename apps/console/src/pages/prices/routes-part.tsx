import { useLocation } from 'wouter';
import { networkName } from '../../format/token.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Moment } from '../../ui/values.js';
import { Between, BetweenCounts } from './between.js';
import { type RoutePrice, useRoutePrices } from './route-prices.js';

/** What each product costs now, by key and by wallet. */
export function RoutesPart() {
  const [, navigate] = useLocation();
  const prices = useRoutePrices();
  return (
    <>
      <p className="muted">
        The price of a route stands at its handler in the code and changes with a release. Each one that was ever on
        offer is recorded.
      </p>
      <Shown of={prices} what="Reading what is on offer">
        {(all) => (
          <Table
            name="prices"
            columns={columns}
            list={wholeList(all)}
            keyOf={({ id }) => id}
            onOpen={({ sku }) => navigate(`/prices/products/${encodeURIComponent(sku)}`)}
            empty="No route has a price."
          />
        )}
      </Shown>
    </>
  );
}

const payable = ({ accepts }: RoutePrice): readonly string[] => [
  ...new Set(accepts.map(({ network, symbol }) => `${symbol} on ${networkName(network)}`)),
];

const columns: readonly Column<RoutePrice>[] = [
  { title: 'Product', text: ({ sku }) => sku, width: 'minmax(9rem, 1fr)' },
  {
    title: 'Routes',
    text: ({ routes }) => (routes ?? []).map(({ method, path }) => `${method} ${path}`).join(', '),
    width: 'minmax(11rem, 2fr)',
  },
  {
    title: 'By wallet',
    text: ({ price }) => `${price.min} ${price.max}`,
    cell: ({ price, currency }) => <Between range={price} asset={currency} />,
    isNumber: true,
    width: '13rem',
  },
  {
    title: 'By key, units',
    text: ({ units }) => `${units.min} ${units.max}`,
    cell: ({ units }) => <BetweenCounts range={units} />,
    isNumber: true,
    width: '8rem',
  },
  { title: 'Paid in', text: (price) => payable(price).join(', '), width: 'minmax(11rem, 1fr)' },
  { title: 'Scope of keys', text: ({ scope }) => scope, width: '9rem' },
  {
    title: 'Since',
    text: ({ firstSeenAt }) => firstSeenAt,
    cell: ({ firstSeenAt }) => <Moment at={firstSeenAt} />,
    width: '12rem',
  },
];
