import type { components } from '@keyfare/api-types/gate';
import { Link } from 'wouter';
import { column } from '../../ui/columns.js';
import { Facts, Section, Stat } from '../../ui/page.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Age, Badge, Count, Dash, Id, Moment } from '../../ui/values.js';
import { Networks } from './networks.js';
import { lasting, Part } from './part.js';

export type Status = components['schemas']['GateStatus'];
type Known<T> = Extract<T, { readonly state: 'available' }>;
type Open = Known<Status['payments']>['open'][number];
type Payer = Known<Status['exposure']>['payers'][number];

/** How the API is: what waits, what is refused, and who numbers the log. */
export const ApiStatus = ({ status }: { readonly status: Status }) => (
  <>
    <Networks of={status.networks} />
    <Part title="Payments under way" of={status.payments} actions={<Link href="/payments">All payments</Link>}>
      {({ open }) => (
        <Table
          name="payments under way"
          columns={openColumns}
          list={wholeList(open)}
          keyOf={(row) => `${row.network} ${row.token} ${row.state}`}
          empty="All payments have come to their end."
        />
      )}
    </Part>
    <Part title="Credit given to wallets" of={status.exposure}>
      {({ totals, payers }) => (
        <>
          <div className="stats">
            {totals.map(({ network, token, open, limit }) => (
              <Stat key={`${network} ${token}`} label={`Open on ${network}`}>
                <TokenMoney network={network} asset={token} amount={open} /> of{' '}
                {limit === null ? 'no limit' : <TokenMoney network={network} asset={token} amount={limit} />}
              </Stat>
            ))}
          </div>
          <Table
            name="payers with credit"
            columns={payerColumns}
            list={wholeList(payers)}
            keyOf={(row) => `${row.network} ${row.token} ${row.payer}`}
            empty="Nobody owes anything on credit."
          />
        </>
      )}
    </Part>
    <div className="columns">
      <Breaker of={status.breaker} />
      <Part title="Sequencer" of={status.sequencer}>
        {(sequencer) => (
          <Facts
            of={[
              ['Leader', <Id key="leader" value={sequencer.leader} length={24} />],
              ['Last place', <Count key="place" value={sequencer.lastPlace} />],
              ['Every entry has its place up to', <Moment key="asOf" at={sequencer.asOf} />],
              ['Behind', lasting(sequencer.delayMs / 1_000)],
              ['Wait for a place', <Count key="unplaced" value={sequencer.unplaced} />],
            ]}
          />
        )}
      </Part>
      <Part title="Blocked payers" of={status.blockedPayers}>
        {({ count, latest }) => (
          <>
            <p>
              <Count value={count} /> in all.
            </p>
            <ul>
              {latest.map(({ payer, reason, blockedAt }) => (
                <li key={payer}>
                  <Id value={payer} /> <bdi>{reason}</bdi>, <Age at={blockedAt} />
                </li>
              ))}
            </ul>
          </>
        )}
      </Part>
      <Part title="Database and processes" of={status.database}>
        {({ replicas }) => (
          <Facts
            of={[
              ['Processes', <Count key="replicas" value={replicas} />],
              ['This answer is of', <Id key="replica" value={status.process.replica} length={24} />],
              ['Hears the others at once', <Badge key="listening" {...yes(status.process.listening)} />],
            ]}
          />
        )}
      </Part>
    </div>
  </>
);

const yes = (is: boolean) => ({ state: is ? 'yes' : 'no', tone: is ? ('good' as const) : ('bad' as const) });

const Breaker = ({ of }: { readonly of: Status['breaker'] }) => (
  <Section title="Breaker of reverts">
    <Facts
      of={[
        [
          'All payments',
          of.open ? (
            <Badge key="all" state="refused" tone="bad" />
          ) : (
            <Badge key="all" state="let through" tone="good" />
          ),
        ],
        ['Until', <Moment key="until" at={of.until} />],
        ['Payers that are refused', <Count key="payers" value={of.payers} />],
      ]}
    />
    {of.refused.length === 0 ? null : (
      <ul>
        {of.refused.map(({ payer, until }) => (
          <li key={payer}>
            <Id value={payer} /> until <Moment at={until} />
          </li>
        ))}
      </ul>
    )}
  </Section>
);

const openColumns: readonly Column<Open>[] = [
  column.state('State', ({ state }) => state, '9rem'),
  column.text('Network', ({ network }) => network),
  column.count('Payments', ({ count }) => `${count}`),
  {
    title: 'Amount',
    text: ({ amount }) => amount,
    cell: ({ network, token, amount }) => <TokenMoney network={network} asset={token} amount={amount} />,
    isNumber: true,
  },
  { title: 'Oldest', text: ({ oldestSeconds }) => lasting(oldestSeconds), width: '8rem' },
];

const payerColumns: readonly Column<Payer>[] = [
  {
    title: 'Payer',
    text: ({ payer }) => payer,
    cell: ({ payer }) => <Link href={`/payments?payer=${payer}`}>{payer}</Link>,
    width: 'minmax(20rem, 3fr)',
  },
  column.text('Network', ({ network }) => network),
  {
    title: 'Open',
    text: ({ open }) => open,
    cell: ({ network, token, open }) => <TokenMoney network={network} asset={token} amount={open} />,
    isNumber: true,
  },
  {
    title: 'Limit',
    text: ({ limit }) => limit ?? '',
    cell: ({ network, token, limit }) =>
      limit === null ? <Dash /> : <TokenMoney network={network} asset={token} amount={limit} />,
    isNumber: true,
  },
];
