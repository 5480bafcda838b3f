import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Section, Stat } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Money } from '../../ui/values.js';
import { InvoiceField } from './invoice-field.js';
import type { Customer } from './kinds.js';

/** What a customer has paid and not used, what it may pay with, and what it may pay from. */
export function Credit({ customer: { id } }: { readonly customer: Customer }) {
  const queries = useQueryClient();
  const mayMoney = useMay('money');
  const [open, setOpen] = useState<'apply' | 'wallet'>();
  const [invoice, setInvoice] = useState('');
  const [amount, setAmount] = useState('');
  const [address, setAddress] = useState('');
  const path = { params: { path: { id } } };
  const credit = useRead(['billed-customers', id, 'credit'], async () =>
    ok(billing.GET('/customers/{id}/credit', path)),
  );
  const close = (): void => setOpen(undefined);
  return (
    <Section
      title="Credit"
      actions={
        mayMoney ? (
          <>
            <Button onPress={() => setOpen('apply')}>Pay an invoice with it</Button>
            <Button onPress={() => setOpen('wallet')}>Name a wallet</Button>
          </>
        ) : undefined
      }
    >
      <Shown of={credit}>
        {({ balance }) => (
          <div className="stats">
            <Stat label="Credit">
              <Money amount={balance} asset="USD" />
            </Stat>
          </div>
        )}
      </Shown>
      <FormDialog
        title="Pay an invoice with credit"
        action="Pay"
        isOpen={open === 'apply'}
        isReady={invoice !== ''}
        onClose={close}
        onSubmit={async () => {
          const body = { invoice, ...(amount === '' ? {} : { amount }) };
          await ok(billing.POST('/customers/{id}/credit/apply', { ...path, body }));
          await queries.invalidateQueries();
        }}
      >
        <InvoiceField value={invoice} onChange={setInvoice} />
        <Field
          label="Amount (may be empty)"
          value={amount}
          onChange={setAmount}
          hint="In USD. Empty: as much as both have left."
        />
      </FormDialog>
      <FormDialog
        title="Name a wallet of the customer"
        action="Name it"
        isOpen={open === 'wallet'}
        isReady={/^0x[0-9a-fA-F]{40}$/.test(address)}
        onClose={close}
        onSubmit={async () => ok(billing.POST('/customers/{id}/wallets', { ...path, body: { address } }))}
      >
        <p>A final transfer from it that is exactly the amount of one open invoice can then pay that invoice.</p>
        <Field label="Address" value={address} onChange={setAddress} placeholder="0x…" isRequired />
      </FormDialog>
    </Section>
  );
}
