import { useParams } from 'wouter';
import { networkName, tokenAmount } from '../../format/token.js';
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

const rangeOf = ([min, max]: readonly [string, string]) => ({ min, max });

/** What is paid in: the symbol of a token that is known, else its contract. */
const tokenOf = (network: string, asset: string): string => tokenAmount({ network, asset }, '0')?.asset ?? asset;

const Past = ({ price: { id, terms, firstSeenAt }, isNow }: { readonly price: PastPrice; readonly isNow: boolean }) => (
  <>
    <strong>
      <Between range={rangeOf(terms.price)} asset={terms.currency} />
    </strong>{' '}
    or <BetweenCounts range={rangeOf(terms.units)} /> units by key{' '}
    <span className="muted">
      since <Moment at={firstSeenAt} />
    </span>{' '}
    {isNow ? <Badge state="on offer" tone="good" /> : null} <Id value={id} length={20} />
    <ul>
      {terms.accepts.map(([network, asset, payTo, flow, min, max]) => (
        <li key={`${network} ${asset} ${payTo} ${flow}`}>
          <Between range={{ min, max }} asset={tokenOf(network, asset)} /> on {networkName(network)}, {flow}, to{' '}
          <Id value={payTo} />
        </li>
      ))}
    </ul>
  </>
);
