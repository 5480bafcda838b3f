import { useParams } from 'wouter';
import { networkName } from '../../format/token.js';
import { Page } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { Badge, Id, Moment } from '../../ui/values.js';
import { Between, BetweenCounts } from './between.js';
import { type PastPrice, usePastPrices, useRoutePrices } from './route-prices.js';

/** One product: what it costs and what it has cost. */
export default function ProductPage() {
  const { sku } = useParams<{ readonly sku: string }>();
  const prices = usePastPrices(sku);
  const offered = useRoutePrices();
  const now = new Set(offered.data?.map(({ id }) => id));
  return (
    <Page title={`Product ${sku}`} above={{ href: '/prices?part=routes', title: 'Prices and plans' }}>
      <Shown of={prices} what="Reading its prices">
        {(all) =>
          all.length === 0 ? (
            <Empty>It has never been on offer.</Empty>
          ) : (
            <ol className="timeline">
              {all.map((price) => (
                <li key={price.id}>
                  <Past price={price} isNow={now.has(price.id)} />
                </li>
              ))}
            </ol>
          )
        }
      </Shown>
    </Page>
  );
}

const Past = ({ price: { id, terms, firstSeenAt }, isNow }: { readonly price: PastPrice; readonly isNow: boolean }) => (
  <>
    <strong>
      {terms.price === undefined ? null : <Between range={terms.price} asset={terms.currency ?? 'USD'} />}
    </strong>{' '}
    {terms.units === undefined ? null : (
      <>
        or <BetweenCounts range={terms.units} /> units by key
      </>
    )}{' '}
    <span className="muted">
      since <Moment at={firstSeenAt} />
    </span>{' '}
    {isNow ? <Badge state="on offer" tone="good" /> : null} <Id value={id} length={20} />
    {terms.accepts === undefined ? null : (
      <ul>
        {terms.accepts.map(({ network, symbol, payTo, flow, currency, price }) => (
          <li key={`${network} ${symbol} ${payTo} ${flow}`}>
            <Between range={price} asset={currency} /> in {symbol} on {networkName(network)}, {flow}, to{' '}
            <Id value={payTo} />
          </li>
        ))}
      </ul>
    )}
  </>
);
