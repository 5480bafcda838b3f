import type { components } from '@keyfare/api-types/billing';
import type { ComponentType } from 'react';
import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { ApiProblem } from '../../api/problem.js';
import { Section } from '../../ui/page.js';
import { Empty, Fault, Shown } from '../../ui/states.js';
import { Id } from '../../ui/values.js';
import type { Break } from './queue.js';
import { ChainWitness, JournalWitness, ReceiptWitness, UsageWitness } from './witnesses.js';

type Item = components['schemas']['BreakEvidence']['items'][number];
type Entry = components['schemas']['Entry'];

interface Witness {
  readonly title: string;
  readonly kinds: readonly string[];
  readonly Says: ComponentType<{ readonly of: Entry }>;
}

/** The four witnesses, in the order in which a call passes them. */
const witnesses: readonly Witness[] = [
  { title: 'Receipt', kinds: ['receipt', 'entry'], Says: ReceiptWitness },
  { title: 'Usage', kinds: ['account'], Says: UsageWitness },
  { title: 'Journal', kinds: ['journal', 'invoice'], Says: JournalWitness },
  { title: 'Chain', kinds: ['transaction', 'wallet'], Says: ChainWitness },
];

const pageOf: Readonly<Record<string, (id: string) => string>> = {
  entry: (id) => `/receipts?id=${id}`,
  receipt: (id) => `/receipts?id=${id}`,
  account: (id) => `/customers/${id}`,
  invoice: (id) => `/invoices/${id}`,
};

/** An entry of the log with all that the books have of it; null where a break names one that billing has not read. */
async function readEntry(id: string): Promise<Entry | null> {
  try {
    return await ok(billing.GET('/entries/{id}', { params: { path: { id } } }));
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  }
}

/** Receipt, usage, journal and chain side by side: what each of them says about it. */
export function Evidence({ of: { id, keys } }: { readonly of: Break }) {
  const evidence = useRead(['evidence', id], async () =>
    ok(billing.GET('/breaks/{id}/evidence', { params: { path: { id } } })),
  );
  return (
    <Section title="Evidence">
      <Shown of={evidence}>{({ items }) => <SideBySide items={items} />}</Shown>
      <dl className="facts">
        {Object.entries(keys).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Id value={value} length={30} />
            </dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

function SideBySide({ items }: { readonly items: readonly Item[] }) {
  const named = items.find(({ kind }) => kind === 'entry' || kind === 'receipt')?.id;
  const entry = useRead(['entry', named], async () => (named === undefined ? null : readEntry(named)));
  return (
    <>
      {entry.error === null ? null : <Fault error={entry.error} again={() => void entry.refetch()} />}
      <div className="columns witnesses">
        {witnesses.map(({ title, kinds, Says }) => {
          const own = items.filter(({ kind }) => kinds.includes(kind));
          return (
            <div key={title} className="note">
              <h3>{title}</h3>
              {entry.data == null ? null : <Says of={entry.data} />}
              {own.length === 0 && entry.data == null ? <Empty>The break names nothing here.</Empty> : null}
              {own.map((item) => (
                <Named key={`${item.kind} ${item.id}`} item={item} />
              ))}
            </div>
          );
        })}
      </div>
    </>
  );
}

const Named = ({ item: { kind, id, network } }: { readonly item: Item }) => (
  <p>
    {kind}: {pageOf[kind] === undefined ? null : <Link href={pageOf[kind](id)}>open</Link>}{' '}
    <Id value={id} length={20} /> <span className="muted">{network ?? ''}</span>
  </p>
);
