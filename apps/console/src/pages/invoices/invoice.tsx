import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Facts, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Count, Dash, Day, Id, Moment, Money } from '../../ui/values.js';
import { CreditNotes } from './credit-notes.js';
import { Files, Paper } from './files.js';
import { InvoiceActions } from './invoice-actions.js';
import { type Invoice, nameOf, periodText } from './kinds.js';
import { Party } from './party.js';
import { Payments } from './payments.js';

type Line = Invoice['lines'][number] & { readonly place: number };

const columns: readonly Column<Line>[] = [
  { title: 'Line', text: ({ place }) => `${place}`, width: '4rem', isNumber: true },
  { title: 'Of', text: ({ kind }) => kind, width: '7rem' },
  { title: 'What', text: ({ description }) => description, width: 'minmax(12rem, 3fr)' },
  {
    title: 'Quantity',
    text: ({ quantity }) => quantity,
    cell: ({ quantity }) => <Count value={quantity} />,
    isNumber: true,
  },
  {
    title: 'Price of one',
    text: ({ unitPrice }) => unitPrice,
    cell: ({ unitPrice }) => <Money amount={unitPrice} asset="USD" />,
    isNumber: true,
  },
  {
    title: 'Amount',
    text: ({ amount }) => amount,
    cell: ({ amount }) => <Money amount={amount} asset="USD" />,
    isNumber: true,
  },
];

/** One invoice: what is on it, what was paid and taken back, its files. */
export default function InvoicePage() {
  const { id } = useParams<{ id: string }>();
  const [isPaperShown, setPaperShown] = useState(false);
  const invoice = useRead(['invoices', id], async () =>
    ok(billing.GET('/invoices/{id}', { params: { path: { id } } })),
  );
  const { data } = invoice;
  return (
    <Page
      title={data === undefined ? 'Invoice' : nameOf(data)}
      above={{ href: '/invoices', title: 'Invoices' }}
      actions={data === undefined ? undefined : <InvoiceActions invoice={data} />}
    >
      <Shown of={invoice}>
        {(shown) => (
          <>
            <Files invoice={shown} isShown={isPaperShown} onShow={setPaperShown} />
            <div className={isPaperShown ? 'split' : undefined}>
              <div>
                <Head invoice={shown} />
                <div className="columns">
                  <Party title="Seller" of={shown.seller} />
                  <Party title="Customer" of={shown.customer} customerId={shown.customerId} />
                </div>
                <Section title="Lines">
                  <Table
                    name={`lines of ${nameOf(shown)}`}
                    columns={columns}
                    list={wholeList(shown.lines.map((line, index) => ({ ...line, place: index + 1 })))}
                    keyOf={({ place }) => `${place}`}
                    empty="Nothing is on it."
                  />
                </Section>
                <Payments invoice={shown} />
                <CreditNotes invoice={shown} />
                <Proof invoice={shown} />
              </div>
              {isPaperShown ? <Paper invoice={shown} /> : null}
            </div>
          </>
        )}
      </Shown>
    </Page>
  );
}

const Head = ({ invoice }: { readonly invoice: Invoice }) => (
  <Facts
    of={[
      ['State', <Badge key="state" state={invoice.state} />],
      [
        'Account',
        <Link key="account" href={`/customers/${invoice.account}`}>
          <bdi>{invoice.accountName}</bdi>
        </Link>,
      ],
      ['Period', invoice.running ? `${periodText(invoice)}, still running` : periodText(invoice)],
      ...(invoice.asOf === null ? [] : ([['Known up to', <Moment key="asOf" at={invoice.asOf} />]] as const)),
      ['Made final', <Moment key="issued" at={invoice.issuedAt} />],
      ['Due', <Day key="due" of={invoice.dueOn} />],
      ['Lines in all', <Money key="total" amount={invoice.total} asset="USD" />],
      ['Before tax', <Money key="subtotal" amount={invoice.subtotal} asset="USD" />],
      ['Tax', <Tax key="tax" invoice={invoice} />],
      ['To pay', <Money key="payable" amount={invoice.payable} asset="USD" />],
      ['Paid', <Money key="paid" amount={invoice.paid} asset="USD" />],
      ['Taken back', <Money key="credited" amount={invoice.credited} asset="USD" />],
      ['Open', <Money key="open" amount={invoice.outstanding} asset="USD" />],
    ]}
  />
);

function Tax({ invoice: { tax, taxCode, taxRate, taxReason } }: { readonly invoice: Invoice }) {
  if (tax === null) return <Dash />;
  return (
    <>
      <Money amount={tax} asset="USD" />{' '}
      <span className="muted">
        {taxCode}
        {taxRate === null ? '' : `, ${taxRate / 100} %`}
        {taxReason === null ? '' : `, ${taxReason}`}
      </span>
    </>
  );
}

/** What the amounts are made of: entries of the log, by which anybody can add them up again. */
const Proof = ({ invoice }: { readonly invoice: Invoice }) => (
  <Section title="What it is made of">
    <Facts
      of={[
        ['Receipts', <Count key="receipts" value={invoice.receipts} />],
        ['First entry', <Id key="first" value={invoice.firstEntry} length={40} />],
        ['Last entry', <Id key="last" value={invoice.lastEntry} length={40} />],
        [
          'Places in the log',
          invoice.firstPlace === null ? <Dash key="places" /> : `${invoice.firstPlace} to ${invoice.lastPlace}`,
        ],
        ['SHA-256 of the entries', <Id key="entries" value={invoice.entriesDigest} length={24} />],
        ['SHA-256 of the document', <Id key="digest" value={invoice.digest} length={24} />],
        ['Attempt', <Count key="attempt" value={invoice.attempt} />],
        ['Drawn up', <Moment key="updated" at={invoice.updatedAt} />],
      ]}
    />
    {invoice.document === null ? null : (
      <details>
        <summary>The frozen document, as it is signed by its digest</summary>
        <pre>{invoice.document}</pre>
      </details>
    )}
  </Section>
);
