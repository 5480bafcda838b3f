import { Link } from 'wouter';
import type { Status as ApiStatus } from './api-status.js';
import type { Status as BillingStatus } from './billing-status.js';
import { lasting } from './part.js';

interface Concern {
  readonly says: string;
  readonly href?: string;
}

/** How long the log may be behind before somebody should look. */
const longMs = 60_000;

function concernsOfNetwork({ name, node, aboveCeiling, settler }: ApiStatus['networks'][number]): readonly string[] {
  return [
    ...(node.state === 'unavailable' ? [`The node of ${name} does not answer.`] : []),
    ...(aboveCeiling === true ? [`Gas on ${name} is above the ceiling: settling waits.`] : []),
    ...(settler.funds === 'low' ? [`The settler on ${name} has little gas left: send it some.`] : []),
    ...(settler.funds === 'empty' ? [`The settler on ${name} has no gas left: send it some.`] : []),
    ...(settler.refused ? [`The node of ${name} refuses a transaction of the settler.`] : []),
  ];
}

function concernsOfApi(status: ApiStatus): readonly Concern[] {
  const { networks, breaker, sequencer, database, payments } = status;
  return [
    ...networks.flatMap(concernsOfNetwork).map((says) => ({ says })),
    ...(breaker.open ? [{ says: 'The breaker refuses all payments because of reverts.', href: '/payments' }] : []),
    ...(database.state === 'unavailable' ? [{ says: "The API's database does not answer." }] : []),
    ...(payments.state === 'unavailable' ? [{ says: 'It is not known which payments are under way.' }] : []),
    ...(sequencer.state === 'available' && sequencer.delayMs > longMs
      ? [{ says: `The log is numbered ${lasting(sequencer.delayMs / 1_000)} late.` }]
      : []),
  ];
}

function concernsOfBilling(status: BillingStatus): readonly Concern[] {
  const { log, chain, jobs, loops, node, reconciliation } = status;
  const high = reconciliation.state === 'available' ? (reconciliation.openBreaks['high'] ?? 0) : 0;
  return [
    ...(log.state === 'unavailable' ? [{ says: 'How far the log was read is not known.' }] : []),
    ...(log.state === 'available' && log.stalledSince !== null ? [{ says: 'Reading the log stands still.' }] : []),
    ...(log.state === 'available' && log.delayMs > longMs
      ? [{ says: `The books are ${lasting(log.delayMs / 1_000)} behind the log.` }]
      : []),
    ...(node.state === 'unavailable' ? [{ says: "Billing's node does not answer." }] : []),
    ...(chain.state === 'available'
      ? [
          ...chain.standstills.map(({ class: what, subject }) => ({ says: `${what}: ${subject}` })),
          ...chain.wallets.flatMap(({ doubt, wallet }) =>
            doubt === null ? [] : [{ says: `The node contradicts what was read of ${wallet}: ${doubt}.` }],
          ),
        ]
      : []),
    ...(jobs.state === 'available'
      ? jobs.queues.flatMap(({ name, retryAt }) =>
          retryAt === null ? [] : [{ says: `The job ${name} failed and is tried again.` }],
        )
      : []),
    ...loops.flatMap(({ name, failures }) =>
      failures === 0 ? [] : [{ says: `${name} failed ${failures} times in a row.` }],
    ),
    ...(high > 0
      ? [{ says: `${high} breaks of high severity are open.`, href: '/reconciliation?status=open&severity=high' }]
      : []),
  ];
}

/** What somebody should look at now, first of all. */
export function Concerns({
  api,
  books,
}: {
  readonly api: ApiStatus | undefined;
  readonly books: BillingStatus | undefined;
}) {
  if (api === undefined || books === undefined) return null;
  const all = [...concernsOfApi(api), ...concernsOfBilling(books)];
  return all.length === 0 ? (
    <p className="note" role="status">
      All is well: nothing of what is looked at needs anybody.
    </p>
  ) : (
    <div className="state fault" role="alert">
      <strong>{all.length === 1 ? 'One thing needs somebody' : `${all.length} things need somebody`}</strong>
      <ul>
        {all.map(({ says, href }) => (
          <li key={says}>{href === undefined ? says : <Link href={href}>{says}</Link>}</li>
        ))}
      </ul>
    </div>
  );
}
