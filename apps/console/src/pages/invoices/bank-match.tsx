import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { InvoiceField } from './invoice-field.js';
import type { BankPayment } from './kinds.js';
import { useOffers } from './setup/offers.js';

/** What is to become of a payment. */
export interface Wanted {
  readonly use: 'invoice' | 'credit';
  readonly invoice?: string;
}

interface MatchDialogProps {
  readonly payment: BankPayment;
  readonly wanted: Wanted;
  readonly onClose: () => void;
}

/** Pays an invoice with a payment, or makes what is left of it a customer's credit. */
export function MatchDialog({ payment: { id }, wanted, onClose }: MatchDialogProps) {
  const queries = useQueryClient();
  const [invoice, setInvoice] = useState(wanted.invoice ?? '');
  const [customer, setCustomer] = useState('');
  const [amount, setAmount] = useState('');
  const offered = useOffers('customers', '');
  const isInvoice = wanted.use === 'invoice';
  const path = { params: { path: { id } } };
  const some = amount === '' ? {} : { amount };
  return (
    <FormDialog
      title={isInvoice ? 'Pay an invoice' : 'Make it credit'}
      action={isInvoice ? 'Pay the invoice' : 'Make it credit'}
      isOpen
      isReady={(isInvoice ? invoice : customer) !== ''}
      onClose={onClose}
      onSubmit={async () => {
        await (isInvoice
          ? ok(billing.POST('/bank-payments/{id}/match', { ...path, body: { invoice, ...some } }))
          : ok(billing.POST('/bank-payments/{id}/credit', { ...path, body: { customer, ...some } })));
        await queries.invalidateQueries({ queryKey: ['bank-payments'] });
        await queries.invalidateQueries({ queryKey: ['invoices'] });
        await queries.invalidateQueries({ queryKey: ['billed-customers'] });
      }}
    >
      {isInvoice ? (
        <InvoiceField value={invoice} onChange={setInvoice} />
      ) : (
        <Field
          label="Customer"
          value={customer}
          onChange={setCustomer}
          isRequired
          hint={offered.find(({ value }) => value === customer)?.label ?? 'Its id; a part of the name finds it.'}
          suggestions={offered}
        />
      )}
      <Field
        label="Amount (may be empty)"
        value={amount}
        onChange={setAmount}
        hint="In USD. Empty: as much as is left."
      />
    </FormDialog>
  );
}
