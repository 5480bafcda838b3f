import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { sumMoney } from '../../format/money.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Money } from '../../ui/values.js';
import { type Invoice, nameOf } from './kinds.js';

interface CreditNoteDialogProps {
  readonly invoice: Invoice;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

const decimal = /^\d+(?:\.\d{1,6})?$/;

/** Takes back all that is left of an invoice, or parts of its lines. */
export function CreditNoteDialog({ invoice, isOpen, onClose }: CreditNoteDialogProps) {
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const [extent, setExtent] = useState('all');
  const [amounts, setAmounts] = useState<Readonly<Record<number, string>>>({});
  const lines = Object.entries(amounts).flatMap(([line, amount]) =>
    amount === '' ? [] : [{ line: Number(line), amount }],
  );
  const areGood = lines.length > 0 && lines.every(({ amount }) => decimal.test(amount));
  return (
    <FormDialog
      title={`Credit note of ${nameOf(invoice)}`}
      action="Make the credit note"
      isOpen={isOpen}
      isReady={reason.trim() !== '' && (extent === 'all' || areGood)}
      onClose={onClose}
      isWide
      onSubmit={async () => {
        await ok(
          billing.POST('/invoices/{id}/credit-notes', {
            params: { path: { id: invoice.id } },
            body: { reason, ...(extent === 'all' ? {} : { lines }) },
          }),
        );
        await queries.invalidateQueries({ queryKey: ['invoices'] });
        setReason('');
        setAmounts({});
      }}
    >
      <p>What was paid of it already becomes the customer's credit. A credit note cannot be taken back.</p>
      <Select
        label="What is taken back"
        value={extent}
        onChange={setExtent}
        choices={[
          { id: 'all', label: 'All that is left of the invoice' },
          { id: 'lines', label: 'Parts of its lines' },
        ]}
      />
      {extent === 'all' ? null : (
        <>
          <div className="scroll">
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">Line</th>
                  <th scope="col" className="number">
                    Invoiced
                  </th>
                  <th scope="col">Taken back, before tax</th>
                </tr>
              </thead>
              <tbody>
                {invoice.lines.map(({ description, amount }, index) => (
                  // A line of an invoice is named by its place.
                  <tr key={index}>
                    <td>
                      {index + 1}. <bdi>{description}</bdi>
                    </td>
                    <td className="number">
                      <Money amount={amount} asset="USD" />
                    </td>
                    <td>
                      <Field
                        label={`Taken back of line ${index + 1}, in USD`}
                        isLabelHidden
                        value={amounts[index + 1] ?? ''}
                        onChange={(text) => setAmounts({ ...amounts, [index + 1]: text.trim() })}
                        placeholder="0.00"
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p>
            In all <Money amount={areGood ? sumMoney(lines.map(({ amount }) => amount)) : null} asset="USD" />, and the
            tax on it. Amounts have a decimal point.
          </p>
        </>
      )}
      <Field label="Reason" value={reason} onChange={setReason} isRequired hint="It is printed on the credit note." />
    </FormDialog>
  );
}
