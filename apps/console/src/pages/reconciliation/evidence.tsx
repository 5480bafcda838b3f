import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Section } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { Id } from '../../ui/values.js';
import type { Break } from './queue.js';

/** The four witnesses, in the order in which a call passes them. */
const witnesses = [
  ['Receipt', ['receipt', 'entry']],
  ['Usage', ['account']],
  ['Journal', ['journal', 'invoice']],
  ['Chain', ['transaction', 'wallet']],
] as const;

const pageOf: Readonly<Record<string, (id: string) => string>> = {
  entry: (id) => `/receipts?id=${id}`,
  receipt: (id) => `/receipts?id=${id}`,
  account: (id) => `/customers/${id}`,
  invoice: (id) => `/invoices/${id}`,
};

/** Receipt, usage, journal and chain side by side: what each of them says about it. */
export function Evidence({ of: { id, keys } }: { readonly of: Break }) {
  const evidence = useRead(['evidence', id], async () =>
    ok(billing.GET('/breaks/{id}/evidence', { params: { path: { id } } })),
  );
  return (
    <Section title="Evidence">
      <Shown of={evidence}>
        {({ items }) => (
          <div className="columns witnesses">
            {witnesses.map(([title, kinds]) => (
              <div key={title} className="note">
                <h3>{title}</h3>
                {items.filter(({ kind }) => (kinds as readonly string[]).includes(kind)).length === 0 ? (
                  <Empty>It names nothing here.</Empty>
                ) : null}
                {items
                  .filter(({ kind }) => (kinds as readonly string[]).includes(kind))
                  .map(({ kind, id: at, network }) => (
                    <p key={`${kind} ${at}`}>
                      {kind}: {pageOf[kind] === undefined ? null : <Link href={pageOf[kind](at)}>open</Link>}{' '}
                      <Id value={at} length={20} /> <span className="muted">{network ?? ''}</span>
                    </p>
                  ))}
              </div>
            ))}
          </div>
        )}
      </Shown>
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
