import type { components } from '@keyfare/api-types/billing';
import { Link } from 'wouter';
import { column } from '../../ui/columns.js';
import { Facts, Section, Stat } from '../../ui/page.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Age, Badge, Count, Dash, Id, Moment } from '../../ui/values.js';
import { Jobs } from './jobs.js';
import { lasting, Part } from './part.js';

export type Status = components['schemas']['BillingStatus'];
type Known<T> = Extract<T, { readonly state: 'available' }>;
type Wallet = Known<Status['chain']>['wallets'][number];

/** How billing is: how far it has read, what it reconciled last, what it does by the calendar. */
export const BillingStatus = ({ status }: { readonly status: Status }) => (
  <>
    <div className="columns">
      <Part title="The log" of={status.log}>
        {(log) => (
          <Facts
            of={[
              ['Read up to place', log.place],
              ['All entries in the books up to', <Moment key="complete" at={log.completeAsOf} />],
              ['Behind', lasting(log.delayMs / 1_000)],
              [
                'Stands still',
                log.stalledSince === null ? (
                  <Badge key="stalled" state="no" tone="good" />
                ) : (
                  <Badge key="stalled" state={`since ${log.stalledSince}`} tone="bad" />
                ),
              ],
              ...feedFacts(status.feed),
            ]}
          />
        )}
      </Part>
      <Part title="Reconciliation" of={status.reconciliation} actions={<Link href="/reconciliation">The cases</Link>}>
        {({ last, underWay, openBreaks }) => (
          <>
            <Facts
              of={[
                [
                  'Last run',
                  last === null ? (
                    <Dash key="last" />
                  ) : (
                    <Link key="last" href={`/reconciliation/runs/${last.id}`}>
                      <Age at={last.finishedAt} />
                    </Link>
                  ),
                ],
                ['Under way', underWay === null ? 'none' : `${underWay.scope}, ${underWay.state}`],
              ]}
            />
            <div className="stats">
              {(['high', 'medium', 'low'] as const).map((severity) => (
                <Stat
                  key={severity}
                  label={`Open, ${severity}`}
                  href={`/reconciliation?status=open&severity=${severity}`}
                  {...(severity === 'high' && (openBreaks['high'] ?? 0) > 0 ? { tone: 'bad' as const } : {})}
                >
                  <Count value={openBreaks[severity] ?? 0} />
                </Stat>
              ))}
            </div>
          </>
        )}
      </Part>
    </div>
    <Part title="The chain, as the books have read it" of={status.chain}>
      {({ wallets, standstills }) => (
        <>
          {standstills.map(({ class: what, subject, since, detail }) => (
            <div key={`${what} ${subject}`} className="state fault" role="alert">
              <strong>
                {what} since <Moment at={since} />
              </strong>
              <bdi>{subject}</bdi>
              <bdi>{detail}</bdi>
            </div>
          ))}
          <Table
            name="wallets that are followed"
            columns={walletColumns}
            list={wholeList(wallets)}
            keyOf={({ network, token, wallet }) => `${network} ${token} ${wallet}`}
          />
        </>
      )}
    </Part>
    <Jobs of={status.jobs} />
    <Section title="Loops of this process">
      <Table name="loops" columns={loopColumns} list={wholeList(status.loops)} keyOf={({ name }) => name} />
    </Section>
    <Part title="Keys that receipts verify against" of={status.receiptKeys}>
      {({ keys }) => (
        <ul>
          {keys.map(({ id, firstSeenAt }) => (
            <li key={id}>
              <Id value={id} length={48} /> since <Moment at={firstSeenAt} />
            </li>
          ))}
        </ul>
      )}
    </Part>
  </>
);

function feedFacts(feed: Status['feed']) {
  if (feed.state === 'unavailable') {
    return [["The API's log", <Badge key="feed" state="unavailable" />]] as const;
  }
  return [
    ['Its last place', feed.head],
    ['Not read yet', <Count key="unread" value={feed.unread} />],
  ] as const;
}

const walletColumns: readonly Column<Wallet>[] = [
  column.text('Asset', ({ asset }) => asset ?? '', '6rem'),
  column.text('Network', ({ network }) => network, '9rem'),
  column.id('Wallet', ({ wallet }) => wallet),
  column.text('Read up to block', ({ block }) => block, '10rem'),
  column.text('Final up to', ({ finalized }) => finalized, '8rem'),
  column.text('Newest block', ({ head }) => head, '8rem'),
  {
    title: 'Behind',
    text: ({ delayMs }) => (delayMs === null ? '' : lasting(delayMs / 1_000)),
    width: '7rem',
  },
  {
    title: 'Doubt',
    text: ({ doubt }) => doubt ?? '',
    cell: ({ doubt }) => (doubt === null ? <Dash /> : <Badge state={doubt} tone="bad" />),
  },
  column.moment('Complete up to', ({ completeAsOf }) => completeAsOf),
];

const loopColumns: readonly Column<Status['loops'][number]>[] = [
  column.text('Loop', ({ name }) => name),
  column.moment('Last done', ({ lastDoneAt }) => lastDoneAt),
  {
    title: 'Failures in a row',
    text: ({ failures }) => `${failures}`,
    cell: ({ failures }) => (
      <Badge state={failures === 0 ? 'none' : `${failures}`} tone={failures === 0 ? 'good' : 'bad'} />
    ),
  },
];
