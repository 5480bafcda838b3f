import { billing, ok } from '../../api/client.js';
import { useRead } from '../../api/hooks.js';
import { Field } from '../../ui/fields.js';
import { nameOf } from './kinds.js';

interface InvoiceFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** The id of an invoice that is still to be paid; the browser offers the newest. */
export function InvoiceField({ value, onChange }: InvoiceFieldProps) {
  const { data } = useRead(['invoices', 'offered'], async () =>
    ok(billing.GET('/invoices', { params: { query: { limit: '200' } } })),
  );
  const open = data?.items.filter(({ state }) => state === 'final' || state === 'partially_paid') ?? [];
  const offered = open.map((invoice) => ({
    value: invoice.id,
    label: `${nameOf(invoice)}, ${invoice.accountName}, open: ${invoice.outstanding} USD`,
  }));
  return (
    <Field
      label="Invoice"
      value={value}
      onChange={onChange}
      isRequired
      hint={
        offered.find((offer) => offer.value === value)?.label ??
        'Its id; a part of the number or the name of the account finds it.'
      }
      suggestions={offered}
    />
  );
}
