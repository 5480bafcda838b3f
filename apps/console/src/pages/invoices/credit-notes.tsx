import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Moment, Money } from '../../ui/values.js';
import type { CreditNote, Invoice } from './kinds.js';

const columns: readonly Column<CreditNote>[] = [
  { title: 'Number', text: ({ number }) => number },
  {
    title: 'Issued',
    text: ({ issuedAt }) => issuedAt,
    cell: ({ issuedAt }) => <Moment at={issuedAt} />,
    width: '13rem',
  },
  { title: 'Reason', text: ({ reason }) => reason, width: 'minmax(12rem, 2fr)' },
  {
    title: 'Tax',
    text: ({ tax }) => tax,
    cell: ({ tax, currency }) => <Money amount={tax} asset={currency} />,
    isNumber: true,
  },
  {
    title: 'Total',
    text: ({ total }) => total,
    cell: ({ total, currency }) => <Money amount={total} asset={currency} />,
    isNumber: true,
  },
  {
    title: 'Became credit',
    text: ({ toCredit }) => toCredit,
    cell: ({ toCredit, currency }) => <Money amount={toCredit} asset={currency} />,
    isNumber: true,
  },
  {
    title: 'Files',
    text: ({ id }) => id,
    cell: ({ id, invoiceId, number }) => (
      <>
        <a href={`/invoices/${invoiceId}/credit-notes/${id}/pdf`} download={`${number}.pdf`}>
          PDF
        </a>{' '}
        <a href={`/invoices/${invoiceId}/credit-notes/${id}/xml`} download={`${number}.xml`}>
          e-invoice
        </a>
      </>
    ),
  },
];

/** What was taken back of an invoice. A draft has none. */
export function CreditNotes({ invoice }: { readonly invoice: Invoice }) {
  const { id, state } = invoice;
  const notes = useRead(['invoices', id, 'credit-notes'], async () =>
    ok(billing.GET('/invoices/{id}/credit-notes', { params: { path: { id } } })),
  );
  if (state === 'draft') return null;
  return (
    <Section title="Credit notes">
      <Shown of={notes}>
        {({ items }) => (
          <Table
            name="credit notes"
            columns={columns}
            list={wholeList(items)}
            keyOf={(note) => note.id}
            empty="Nothing was taken back."
          />
        )}
      </Shown>
    </Section>
  );
}
