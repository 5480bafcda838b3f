import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Money } from '../../ui/values.js';
import type { Match } from './bank-payment.js';

interface UnmatchDialogProps {
  readonly payment: string;
  readonly match: Match;
  readonly onClose: () => void;
}

/** Takes a match back that was wrong. */
export function UnmatchDialog({ payment, match, onClose }: UnmatchDialogProps) {
  const queries = useQueryClient();
  const [why, setWhy] = useState('');
  return (
    <FormDialog
      title={`Take back the match with ${match.number ?? 'an invoice'}`}
      action="Take it back"
      look="danger"
      isOpen
      isReady={why.trim() !== ''}
      onClose={onClose}
      onSubmit={async () => {
        await ok(
          billing.POST('/bank-payments/{id}/unmatch', {
            params: { path: { id: payment } },
            body: { match: match.id, why: why.trim() },
          }),
        );
        await queries.invalidateQueries({ queryKey: ['bank-payments'] });
        await queries.invalidateQueries({ queryKey: ['invoices'] });
      }}
    >
      <p>
        <Money amount={match.amount} asset="USD" /> is open of the invoice again, the journals are reversed, and the
        money waits at the payment as before. The match stays in the list as undone.
      </p>
      <Field label="Why" value={why} onChange={setWhy} isRequired />
    </FormDialog>
  );
}
