import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { billing, gate, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Section, Stat } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Age, Badge } from '../../ui/values.js';

const everyMs = 15_000;
const operations = '/operations';

/** Whether calls can be sold and the books are being kept: log, chain, settler, sequencer. Each part is read alone. */
export const Health = () => (
  <Section title="Health" actions={<Link href={operations}>Operations</Link>}>
    <Books />
    <Sales />
  </Section>
);

function Books() {
  const status = useRead(['status', 'billing'], async () => ok(billing.GET('/status')), { everyMs });
  return (
    <Shown of={status}>
      {({ log, chain, reconciliation }) => (
        <div className="stats">
          <Part label="Log, read by billing" of={log}>
            {({ delayMs, stalledSince }) => ({ text: `${seconds(delayMs)} behind`, isBad: stalledSince !== null })}
          </Part>
          <Part label="Chain, read by billing" of={chain}>
            {({ wallets, standstills }) => ({
              text: `${seconds(Math.max(0, ...wallets.map(({ delayMs }) => delayMs ?? 0)))} behind`,
              isBad: standstills.length > 0,
            })}
          </Part>
          <Part label="Last reconciliation" of={reconciliation}>
            {({ last }) => ({ text: last === null ? 'none yet' : <Age at={last.finishedAt} /> })}
          </Part>
        </div>
      )}
    </Shown>
  );
}

function Sales() {
  const status = useRead(['status', 'gate'], async () => ok(gate.GET('/admin/status')), { everyMs });
  return (
    <Shown of={status}>
      {({ networks, sequencer, breaker, database }) => (
        <div className="stats">
          <Part label="Database of the API" of={database}>
            {({ replicas }) => ({ text: replicas === 1 ? '1 process' : `${replicas} processes` })}
          </Part>
          {networks.map(({ network, name, settler: { funds, queued, refused } }) => (
            <Stat
              key={network}
              label={`Settler on ${name}`}
              href={operations}
              {...(refused || funds !== 'ok' ? { tone: 'bad' as const } : {})}
            >
              funds {funds}, {queued} waiting
            </Stat>
          ))}
          <Part label="Sequencer" of={sequencer}>
            {({ delayMs }) => ({ text: `${seconds(delayMs)} behind` })}
          </Part>
          <Stat label="Breaker" href={operations} {...(breaker.open ? { tone: 'bad' as const } : {})}>
            {breaker.open ? 'open' : 'closed'}
          </Stat>
        </div>
      )}
    </Shown>
  );
}

const seconds = (ms: number | null): string => (ms === null ? 'not known' : `${(ms / 1_000).toFixed(1)} s`);

interface PartProps<T> {
  readonly label: string;
  readonly of: T;
  readonly children: (part: Extract<T, { readonly state: 'available' }>) => {
    readonly text: ReactNode;
    readonly isBad?: boolean;
  };
}

/** One part: away, in trouble, or well with a figure. */
function Part<T extends { readonly state: string }>({ label, of, children }: PartProps<T>) {
  const shown = of.state === 'available' ? children(of as Extract<T, { readonly state: 'available' }>) : undefined;
  const isBad = shown === undefined || shown.isBad === true;
  return (
    <Stat label={label} href={operations} {...(isBad ? { tone: 'bad' as const } : {})}>
      {shown === undefined ? <Badge state={of.state} /> : shown.text}
    </Stat>
  );
}
