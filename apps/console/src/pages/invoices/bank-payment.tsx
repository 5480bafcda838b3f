import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Dialog, FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Facts } from '../../ui/page.js';
import { Badge, Day, Moment, Money } from '../../ui/values.js';
import { InvoiceField } from './invoice-field.js';
import type { BankPayment } from './kinds.js';
import { useOffers } from './setup/offers.js';

interface PaymentDialogProps {
  readonly payment: BankPayment;
  readonly onClose: () => void;
}

/** One payment; of an open one, what it pays. */
export function PaymentDialog({ payment, onClose }: PaymentDialogProps) {
  const queries = useQueryClient();
  const mayMoney = useMay('money');
  const [use, setUse] = useState('invoice');
  const [invoice, setInvoice] = useState('');
  const [customer, setCustomer] = useState('');
  const [amount, setAmount] = useState('');
  const offered = useOffers('customers', '');
  const facts = <PaymentFacts payment={payment} />;
  if (payment.state !== 'open' || !mayMoney) {
    return (
      <Dialog title="Bank payment" isOpen onClose={onClose}>
        {facts}
        <div className="actions">
          <Button look="primary" onPress={onClose} autoFocus>
            Close
          </Button>
        </div>
      </Dialog>
    );
  }
  const path = { params: { path: { id: payment.id } } };
  const some = amount === '' ? {} : { amount };
  return (
    <FormDialog
      title="What does it pay?"
      action={use === 'invoice' ? 'Pay the invoice' : 'Make it credit'}
      isOpen
      isReady={(use === 'invoice' ? invoice : customer) !== ''}
      onClose={onClose}
      onSubmit={async () => {
        await (use === 'invoice'
          ? ok(billing.POST('/bank-payments/{id}/match', { ...path, body: { invoice, ...some } }))
          : ok(billing.POST('/bank-payments/{id}/credit', { ...path, body: { customer, ...some } })));
        await queries.invalidateQueries();
      }}
    >
      {facts}
      <br />
      <Select
        label="It is"
        value={use}
        onChange={setUse}
        choices={[
          { id: 'invoice', label: 'Payment of an invoice' },
          { id: 'credit', label: 'Credit of a customer' },
        ]}
      />
      {use === 'invoice' ? (
        <InvoiceField value={invoice} onChange={setInvoice} />
      ) : (
        <Field
          label="Customer"
          value={customer}
          onChange={setCustomer}
          isRequired
          hint="Its id; a part of the name finds it."
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

const PaymentFacts = ({ payment }: PaymentFactsProps) => (
  <Facts
    of={[
      ['Day', <Day key="day" of={payment.bookedOn} />],
      ['State', <Badge key="state" state={payment.state} />],
      ['Amount', <Money key="amount" amount={payment.amount} asset={payment.currency} />],
      ['Matched', <Money key="matched" amount={payment.matched} asset={payment.currency} />],
      ['From', <bdi key="payer">{payment.payer}</bdi>],
      ['Reference', <bdi key="reference">{payment.reference}</bdi>],
      ['Imported', <Moment key="imported" at={payment.importedAt} />],
      ['By', payment.importedBy],
    ]}
  />
);
type PaymentFactsProps = Pick<PaymentDialogProps, 'payment'>;
