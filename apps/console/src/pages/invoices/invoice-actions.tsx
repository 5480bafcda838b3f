import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useMay, useSession } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Money } from '../../ui/values.js';
import { CreditNoteDialog } from './credit-note-dialog.js';
import { type Invoice, nameOf, periodText } from './kinds.js';

type Act = 'approve' | 'void' | 'uncollectible' | 'credit' | 'draft';

const isOwed = ({ state }: Invoice): boolean => state === 'final' || state === 'partially_paid';
const isZero = (amount: string): boolean => /^-?[0.]+$/.test(amount);

/** What the state of the invoice allows to somebody with the right for money. */
function possible(invoice: Invoice): readonly Act[] {
  if (invoice.state === 'draft') return ['draft', 'approve'];
  if (!isOwed(invoice)) return invoice.state === 'paid' ? ['credit'] : [];
  const isUntouched = isZero(invoice.paid) && isZero(invoice.credited);
  return ['credit', ...(isUntouched ? (['void'] as const) : []), 'uncollectible'];
}

const titles: Readonly<Record<Act, string>> = {
  draft: 'Draw up again',
  approve: 'Approve',
  credit: 'Credit note',
  void: 'Void',
  uncollectible: 'Give up',
};

/** Buttons of one invoice, each with a dialog that says what comes of it. */
export function InvoiceActions({ invoice }: { readonly invoice: Invoice }) {
  const [open, setOpen] = useState<Act>();
  const mayMoney = useMay('money');
  const { operator } = useSession();
  const queries = useQueryClient();
  if (!mayMoney) return null;
  const close = (): void => setOpen(undefined);
  const path = { params: { path: { id: invoice.id } } };
  const act = async (asked: Promise<unknown>): Promise<void> => {
    await asked;
    await queries.invalidateQueries({ queryKey: ['invoices'] });
  };
  const confirm = (which: Act, send: () => Promise<unknown>, says: ReactNode, look?: 'danger') => (
    <FormDialog
      title={`${titles[which]}: ${nameOf(invoice)}`}
      action={titles[which]}
      {...(look === undefined ? {} : { look })}
      isOpen={open === which}
      onClose={close}
      onSubmit={async () => act(send())}
    >
      {says}
    </FormDialog>
  );
  return (
    <>
      {possible(invoice).map((which) => (
        <Button key={which} onPress={() => setOpen(which)}>
          {titles[which]}
        </Button>
      ))}
      {invoice.state === 'draft' && !invoice.running ? (
        <Link className="button primary" href={`/invoices/run?month=${invoice.month}`}>
          Make final with its month
        </Link>
      ) : null}
      {confirm(
        'draft',
        async () => ok(billing.POST('/invoices', { body: { account: invoice.account, at: invoice.periodStart } })),
        <p>The draft becomes what is known now of the calls of {periodText(invoice)}.</p>,
      )}
      {confirm(
        'approve',
        async () => ok(billing.POST('/invoices/{id}/approve', path)),
        <p>
          You, <bdi>{operator.name}</bdi>, say that this draft is right as it is now, at{' '}
          <Money amount={invoice.payable} asset="USD" />. Only another operator can then make it final, and only as long
          as it does not change.
        </p>,
      )}
      {confirm(
        'void',
        async () => ok(billing.POST('/invoices/{id}/void', path)),
        <p>
          The invoice is taken back as a whole: <Money amount={invoice.payable} asset="USD" /> less is owed, its number
          stays used, and {periodText(invoice)} is drawn up again as a new draft.
        </p>,
        'danger',
      )}
      {confirm(
        'uncollectible',
        async () => ok(billing.POST('/invoices/{id}/uncollectible', path)),
        <p>
          What is still open, <Money amount={invoice.outstanding} asset="USD" />, is given up and posted as a bad debt.
          This cannot be undone.
        </p>,
        'danger',
      )}
      <CreditNoteDialog invoice={invoice} isOpen={open === 'credit'} onClose={close} />
    </>
  );
}
