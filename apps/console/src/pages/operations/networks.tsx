import { toDecimal } from '../../format/token.js';
import { Facts, Section } from '../../ui/page.js';
import { Badge, Count, Dash, Id, Moment, Money } from '../../ui/values.js';
import type { Status } from './api-status.js';
import { lasting } from './part.js';

type Network = Status['networks'][number];

/** Each network: its node, the price of gas against the ceiling, and the settler with what waits for it. */
export const Networks = ({ of }: { readonly of: Status['networks'] }) => (
  <>
    {of.map((network) => (
      <Section key={network.network} title={`Settling on ${network.name}`}>
        <Facts of={[...nodeFacts(network), ...settlerFacts(network)]} />
      </Section>
    ))}
  </>
);

const gwei = (wei: string): string => toDecimal(wei, 9);

function nodeFacts({ node, gasPriceCeiling, aboveCeiling, payTo }: Network) {
  const ceiling =
    gasPriceCeiling === null ? 'there is none' : <Money key="ceiling" amount={gwei(gasPriceCeiling)} asset="gwei" />;
  return [
    ['Node', <Badge key="node" state={node.state} tone={node.state === 'available' ? 'good' : 'bad'} />],
    ['Block', node.state === 'available' ? node.block : <Dash key="block" />],
    ['Behind', node.state === 'available' ? lasting(node.delayMs / 1_000) : <Dash key="delay" />],
    [
      'Price of gas',
      node.state === 'available' ? (
        <Money key="price" amount={gwei(node.gasPrice)} asset="gwei" />
      ) : (
        <Dash key="price" />
      ),
    ],
    ['Ceiling', ceiling],
    [
      'Above the ceiling',
      aboveCeiling === null ? (
        <Dash key="above" />
      ) : (
        <Badge key="above" state={aboveCeiling ? 'yes: settling waits' : 'no'} tone={aboveCeiling ? 'bad' : 'good'} />
      ),
    ],
    ['Paid to', <Id key="payTo" value={payTo} length={20} />],
  ] as const;
}

const funds = { ok: 'good', low: 'warn', empty: 'bad' } as const;

function settlerFacts({ settler }: Network) {
  return [
    ['Settler', <Id key="settler" value={settler.address} length={20} />],
    [
      'It has',
      settler.balance === null ? (
        <Dash key="balance" />
      ) : (
        <Money key="balance" amount={toDecimal(settler.balance, 18)} asset="ETH" />
      ),
    ],
    [
      'Funds',
      settler.funds === null ? (
        <Dash key="funds" />
      ) : (
        <Badge key="funds" state={settler.funds} tone={funds[settler.funds]} />
      ),
    ],
    ['Enough for settlements', <Count key="left" value={settler.settlementsLeft} />],
    [
      'The node takes its transactions',
      <Badge
        key="refused"
        state={settler.refused ? 'no: one is refused' : 'yes'}
        tone={settler.refused ? 'bad' : 'good'}
      />,
    ],
    ['Transactions in blocks', settler.minedNonce ?? <Dash key="mined" />],
    ['Next nonce', settler.nextNonce ?? <Dash key="nonce" />],
    ['Queued', <Count key="queued" value={settler.queued} />],
    ['Under way', <Count key="underWay" value={settler.underWay} />],
    ['Oldest waits', lasting(settler.oldestSeconds)],
    ['To collect', <Count key="collect" value={settler.toCollect} />],
    ['Last in a block', <Moment key="last" at={settler.lastMinedAt} />],
  ] as const;
}
