import type { components } from '@keyfare/api-types/billing';
import { useState } from 'react';
import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useMay, useRead } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import type { Invoice } from './kinds.js';
import { TransferDialog } from './transfer-unmatch.js';

export type Payment = components['schemas']['InvoicePayments']['items'][number];

/** In words, by the ledger account that the money came from. */
function wordOf({ from }: Payment): string {
  if (from.startsWith('customer-credit')) return 'credit of the customer';
  return from.startsWith('conversion') ? "transfer of a customer's wallet" : 'bank payment';
}

const columns: readonly Column<Payment>[] = [
  column.moment('Applied', ({ appliedAt }) => appliedAt),
  column.text('By', wordOf, 'minmax(12rem, 2fr)'),
  column.money(
    'Amount',
    ({ amount }) => amount,
    ({ currency }) => currency,
  ),
  {
    title: 'From',
    text: ({ from }) => from,
    cell: ({ from, appliedAt }) => (
      <Link href={`/ledger/accounts/${encodeURIComponent(from)}?month=${appliedAt.slice(0, 7)}`}>{from}</Link>
    ),
    width: 'minmax(12rem, 2fr)',
  },
  column.id('Source', ({ source }) => source),
  column.text('Taken back by', ({ undoneBy }) => undoneBy),
  column.text('Why', ({ why }) => why, 'minmax(10rem, 2fr)'),
];

/** The ledger account that USDC from wallets comes through; a bank payment is taken back at its own page. */
const isTransfer = ({ from, undoneAt }: Payment): boolean => from.startsWith('conversion') && undoneAt === null;

/** What was paid of an invoice. A draft has none. */
export function Payments({ invoice: { id, state } }: { readonly invoice: Invoice }) {
  const payments = useRead(['invoices', id, 'payments'], async () =>
    ok(billing.GET('/invoices/{id}/payments', { params: { path: { id } } })),
  );
  const mayMoney = useMay('money');
  const [chosen, setChosen] = useState<Payment>();
  if (state === 'draft') return null;
  const all: readonly Column<Payment>[] = mayMoney
    ? [
        ...columns,
        {
          title: '',
          text: () => '',
          cell: (payment) =>
            isTransfer(payment) ? (
              <Button look="quiet" onPress={() => setChosen(payment)}>
                Take back
              </Button>
            ) : null,
          width: '8rem',
        },
      ]
    : columns;
  return (
    <Section title="Payments">
      <Shown of={payments}>
        {({ items }) => (
          <Table
            name="payments of the invoice"
            columns={all}
            list={wholeList(items)}
            keyOf={({ source }) => source}
            empty="Nothing was paid yet."
          />
        )}
      </Shown>
      {chosen === undefined ? null : <TransferDialog payment={chosen} onClose={() => setChosen(undefined)} />}
    </Section>
  );
}
