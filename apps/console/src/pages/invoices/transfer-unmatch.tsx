import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Money } from '../../ui/values.js';
import type { Payment } from './payments.js';

/** Takes back that a transfer from a wallet pays the invoice. */
export function TransferDialog({ payment, onClose }: { readonly payment: Payment; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [why, setWhy] = useState('');
  return (
    <FormDialog
      title="Take back the transfer"
      action="Take it back"
      look="danger"
      isOpen
      isReady={why.trim() !== ''}
      onClose={onClose}
      onSubmit={async () => {
        const match = payment.source.replace(/^match:/, '');
        await ok(billing.POST('/customers/wallets/unmatch', { body: { match, why: why.trim() } }));
        await queries.invalidateQueries({ queryKey: ['invoices'] });
      }}
    >
      <p>
        <Money amount={payment.amount} asset="USD" /> is open of the invoice again and the journals are reversed. The
        money is unidentified, and the next reconciliation has a break of it.
      </p>
      <Field label="Why" value={why} onChange={setWhy} isRequired />
    </FormDialog>
  );
}
