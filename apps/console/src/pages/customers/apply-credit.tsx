import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { formatMoney, toMicros } from '../../format/money.js';
import { usePreferences } from '../../shell/preferences.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Money } from '../../ui/values.js';
import { useInvoices } from './money-part.js';

interface ApplyCreditProps {
  readonly account: string;
  readonly customer: string;
  readonly balance: string;
  readonly onClose: () => void;
}

/** Pays an invoice, in part or whole, with what the customer has with us. */
export function ApplyCredit({ account, customer, balance, onClose }: ApplyCreditProps) {
  const queries = useQueryClient();
  const { locale } = usePreferences();
  const { rows } = useInvoices(account);
  const open = rows.filter(({ outstanding }) => outstanding !== null && toMicros(outstanding) > 0n);
  const [invoice, setInvoice] = useState('');
  const [amount, setAmount] = useState('');
  const isAmount = amount === '' || /^\d+(\.\d{1,6})?$/.test(amount);
  return (
    <FormDialog
      title="Pay an invoice with the credit"
      action="Pay"
      isOpen
      isReady={invoice !== '' && isAmount}
      onClose={onClose}
      onSubmit={async () => {
        await ok(
          billing.POST('/customers/{id}/credit/apply', {
            params: { path: { id: customer } },
            body: { invoice, ...(amount === '' ? {} : { amount }) },
          }),
        );
        await queries.invalidateQueries();
      }}
    >
      <p>
        There is <Money amount={balance} asset="USD" />. It moves from the customer&apos;s credit to the invoice in the
        books, and no money does.
      </p>
      <Select
        label="Invoice"
        value={invoice}
        onChange={setInvoice}
        choices={open.map(({ id, number, month, outstanding }) => ({
          id,
          label: `${number ?? month}: ${formatMoney(outstanding ?? '0', locale)} USD outstanding`,
        }))}
        {...(open.length === 0 ? { hint: 'No invoice of this account is outstanding.' } : {})}
      />
      <Field
        label="Amount"
        value={amount}
        onChange={setAmount}
        hint="Such as 12.50. Empty: as much as there is and is owed."
      />
    </FormDialog>
  );
}
