import type { components } from '@keyfare/api-types/billing';
import { Link } from 'wouter';
import { formatMonth } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { Facts, Section } from '../../ui/page.js';
import { Empty } from '../../ui/states.js';
import { Badge, Count, Id, Moment, Money } from '../../ui/values.js';

type Entry = components['schemas']['Entry'];

/** What became of an entry: its place in the log, its charge, its money, its journals. */
export const EntryStory = ({ entry }: { readonly entry: Entry }) => (
  <>
    <Place entry={entry} />
    {entry.charge === null ? null : <Charge charge={entry.charge} />}
    {entry.payment === null ? null : <Payment payment={entry.payment} id={entry.id} />}
    {entry.matches.length === 0 ? null : <Matches matches={entry.matches} />}
    <Journals journals={entry.journals} isRefused={entry.refused !== null} />
    {entry.breaks.length === 0 ? null : <Breaks breaks={entry.breaks} />}
  </>
);

const Place = ({ entry }: { readonly entry: Entry }) => (
  <Section title="Its place in the log">
    {entry.refused === null ? null : (
      <p className="note" role="note">
        <Badge state="refused" tone="bad" /> <code>{entry.refused.fault}</code> {entry.refused.detail} Nothing of it is
        in the books. <Link href="/operations/entries">Readmit it</Link>
      </p>
    )}
    <Facts
      of={[
        ['Place', <Count key="place" value={entry.place} />],
        ['Kind', entry.rail === null ? entry.kind : `${entry.kind}, ${entry.rail}`],
        ['Principal', <Id key="principal" value={entry.principal} length={24} />],
        [
          'Account',
          entry.account === null ? (
            '–'
          ) : (
            <Link key="account" href={`/customers/${entry.account.id}`}>
              <bdi>{entry.account.name ?? entry.account.id}</bdi>
            </Link>
          ),
        ],
        ['Happened', <Moment key="occurred" at={entry.occurredAt} />],
        ['Written by the API', <Moment key="recorded" at={entry.recordedAt} />],
        ['Read by billing', <Moment key="read" at={entry.readAt} />],
        ['Invoice', entry.invoice === null ? '–' : <InvoiceLink key="invoice" invoice={entry.invoice} />],
        ['Id', <Id key="id" value={entry.id} length={36} />],
      ]}
    />
  </Section>
);

function InvoiceLink({ invoice }: { readonly invoice: NonNullable<Entry['invoice']> }) {
  const { locale } = usePreferences();
  return (
    <>
      <Link href={`/invoices/${invoice.id}`}>{invoice.number ?? formatMonth(invoice.month, locale)}</Link>{' '}
      <Badge state={invoice.state} />
    </>
  );
}

function Charge({ charge }: { readonly charge: NonNullable<Entry['charge']> }) {
  const { locale } = usePreferences();
  return (
    <Section title="What it was rated">
      <Facts
        of={[
          ['Product', charge.sku],
          ['Month', formatMonth(charge.month, locale)],
          ['Units', <Count key="units" value={charge.units} />],
          ['Of them included', <Count key="included" value={charge.included} />],
          ['Of them beyond the plan', <Count key="overage" value={charge.overage} />],
          ['Price of a unit', <Money key="price" amount={charge.unitPrice} asset="USD" />],
          ['Amount', <Money key="amount" amount={charge.amount} asset={charge.asset} />],
        ]}
      />
    </Section>
  );
}

const Payment = ({ payment, id }: { readonly payment: NonNullable<Entry['payment']>; readonly id: string }) => (
  <Section title="What the log says of its payment">
    <Facts
      of={[
        ['Amount', <Money key="amount" amount={payment.amount} asset={payment.asset ?? 'smallest units'} />],
        ['Payer', <Id key="payer" value={payment.payer} />],
        ['Paid to', <Id key="to" value={payment.payTo} />],
        ['Nonce', <Id key="nonce" value={payment.nonce} />],
      ]}
    />
    <ol className="timeline">
      {payment.entries.map(({ id: entry, place, outcome, at, reason, transaction }) => (
        <li key={entry}>
          <strong>{outcome}</strong> <Moment at={at} />, place <Count value={place} />{' '}
          {reason === null ? null : <code>{reason}</code>} {transaction === null ? null : <Id value={transaction} />}{' '}
          {entry === id ? (
            <Badge state="this one" tone="info" />
          ) : (
            <Link href={`/receipts?id=${entry}`}>its document</Link>
          )}
        </li>
      ))}
    </ol>
  </Section>
);

const Matches = ({ matches }: { readonly matches: Entry['matches'] }) => (
  <Section title="Transfers on the chain that it is matched with">
    <div className="scroll" tabIndex={0} role="region" aria-label="Transfers">
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col" className="number">
              Amount
            </th>
            <th scope="col">Transaction</th>
            <th scope="col" className="number">
              Block
            </th>
            <th scope="col">Block time</th>
            <th scope="col">Found by</th>
          </tr>
        </thead>
        <tbody>
          {matches.map(({ id, state, asset, transfer, rule }) => (
            <tr key={id}>
              <td>
                <Badge state={state} />
              </td>
              <td className="number">
                <Money amount={transfer.amount} asset={asset} />
              </td>
              <td>
                <Id value={transfer.transaction} /> log {transfer.logIndex}
              </td>
              <td className="number">
                <Count value={transfer.block} />
              </td>
              <td>
                <Moment at={transfer.blockTime} />
              </td>
              <td>{rule}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </Section>
);

const Journals = ({ journals, isRefused }: { readonly journals: Entry['journals']; readonly isRefused: boolean }) => (
  <Section title="Its journals">
    {journals.length === 0 ? (
      <Empty>
        {isRefused ? 'A refused entry posts nothing.' : 'It has posted nothing: no money was earned or moved by it.'}
      </Empty>
    ) : (
      <div className="scroll" tabIndex={0} role="region" aria-label="Journals">
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Journal</th>
              <th scope="col">In the books of</th>
              <th scope="col">Debit</th>
              <th scope="col">Credit</th>
              <th scope="col" className="number">
                Amount
              </th>
            </tr>
          </thead>
          <tbody>
            {journals.flatMap(({ id, kind, effectiveAt, reverses, movements }) =>
              movements.map(({ debit, credit, asset, amount }, index) => (
                <tr key={`${id} ${debit} ${credit} ${asset} ${amount}`}>
                  <td>
                    {index > 0 ? null : (
                      <>
                        {kind} <Id value={id} /> {reverses === null ? null : <Badge state="reverses another" />}
                      </>
                    )}
                  </td>
                  <td>{index > 0 ? null : <Moment at={effectiveAt} />}</td>
                  <td className="wrap">{debit}</td>
                  <td className="wrap">{credit}</td>
                  <td className="number">
                    <Money amount={amount} asset={asset} />
                  </td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      </div>
    )}
  </Section>
);

const Breaks = ({ breaks }: { readonly breaks: Entry['breaks'] }) => (
  <Section title="Open breaks that name it">
    <ul className="timeline">
      {breaks.map(({ id, class: name, amount, asset, detail }) => (
        <li key={id}>
          <Link href={`/reconciliation/breaks/${id}`}>{name}</Link> <Money amount={amount} asset={asset} /> {detail}
        </li>
      ))}
    </ul>
  </Section>
);
