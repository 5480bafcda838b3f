import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay, useRead } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Dialog } from '../../ui/dialog.js';
import { Select } from '../../ui/fields.js';
import { Page } from '../../ui/page.js';
import { Fault } from '../../ui/states.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Day, Money } from '../../ui/values.js';
import { ImportDialog } from './bank-import.js';
import type { BankPayment, BankStatement } from './kinds.js';
import { InvoicesNav } from './nav.js';

const states = ['open', 'matched', 'out'] as const;
type State = (typeof states)[number];
const stateOf = (text: string): State | undefined => states.find((state) => state === text);

const unfiltered = { state: 'open', bankAccount: '' };

/** What came in at the bank, and which invoices it pays. */
export default function Bank() {
  const mayMoney = useMay('money');
  const [filters, setFilters] = useAddress(unfiltered);
  const [, navigate] = useLocation();
  const [isImporting, setImporting] = useState(false);
  const [imported, setImported] = useState<BankStatement>();
  const accounts = useRead(['bank-accounts', 'all'], async () =>
    ok(billing.GET('/bank-accounts', { params: { query: { limit: '200' } } })),
  );
  const names = new Map(accounts.data?.items.map(({ id, name }) => [id, name]));
  const list = useEndless(['bank-payments', filters], async (cursor) => {
    const state = stateOf(filters.state);
    const query = filled({ bankAccount: filters.bankAccount, limit: '200', cursor });
    return ok(billing.GET('/bank-payments', { params: { query: { ...query, ...(state ? { state } : {}) } } }));
  });
  return (
    <Page
      title="Bank payments"
      above={{ href: '/invoices', title: 'Invoices' }}
      actions={
        mayMoney ? (
          <>
            <WalletMatches />
            <Button look="primary" onPress={() => setImporting(true)} isDisabled={names.size === 0}>
              Import a statement
            </Button>
          </>
        ) : undefined
      }
    >
      <InvoicesNav />
      {imported === undefined ? null : (
        <p className="note" role="status">
          Stored: {imported.added}. Paid an invoice by its number: {imported.matched}. The rest waits below.
        </p>
      )}
      <div className="filters" role="search">
        <Select
          label="State"
          value={filters.state}
          onChange={(state) => setFilters({ state })}
          choices={[
            { id: 'open', label: 'Open: not matched yet' },
            { id: 'matched', label: 'Matched' },
            { id: 'out', label: 'Went out' },
            { id: 'all', label: 'All' },
          ]}
        />
        <Select
          label="Bank account"
          value={filters.bankAccount}
          onChange={(bankAccount) => setFilters({ bankAccount })}
          choices={[{ id: '', label: 'All' }, ...[...names].map(([id, label]) => ({ id, label }))]}
        />
      </div>
      <Table
        name="bank payments"
        columns={columnsOf(names)}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/invoices/bank/${id}`)}
        empty={
          names.size === 0
            ? 'There is no bank account yet: enter one in the set-up.'
            : 'No payment is like that. Import a statement of the bank.'
        }
      />
      {isImporting ? (
        <ImportDialog accounts={accounts.data?.items ?? []} onClose={() => setImporting(false)} onDone={setImported} />
      ) : null}
    </Page>
  );
}

const columnsOf = (names: ReadonlyMap<string, string>): readonly Column<BankPayment>[] => [
  { title: 'Day', text: ({ bookedOn }) => bookedOn, cell: ({ bookedOn }) => <Day of={bookedOn} />, width: '8rem' },
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '7rem' },
  { title: 'From', text: ({ payer }) => payer, width: 'minmax(10rem, 2fr)' },
  { title: 'Reference', text: ({ reference }) => reference, width: 'minmax(12rem, 3fr)' },
  {
    title: 'Amount',
    text: ({ amount }) => amount,
    cell: ({ amount, currency }) => <Money amount={amount} asset={currency} />,
    isNumber: true,
  },
  {
    title: 'Matched',
    text: ({ matched }) => matched,
    cell: ({ matched, currency }) => <Money amount={matched} asset={currency} />,
    isNumber: true,
  },
  { title: 'Account', text: ({ bankAccount }) => names.get(bankAccount) ?? bankAccount },
];

/** Pays invoices with final transfers from wallets that customers have named. */
function WalletMatches() {
  const queries = useQueryClient();
  const [told, setTold] = useState<number>();
  const [error, setError] = useState<unknown>();
  const match = async (): Promise<void> => {
    try {
      const { items } = await ok(billing.POST('/customers/wallets/match', {}));
      setTold(items.length);
      await queries.invalidateQueries({ queryKey: ['invoices'] });
    } catch (fault) {
      setError(fault);
    }
  };
  const close = (): void => {
    setTold(undefined);
    setError(undefined);
  };
  return (
    <>
      <Button onPress={() => void match()}>Match wallets</Button>
      <Dialog
        title="Transfers of customers' wallets"
        isOpen={told !== undefined || error !== undefined}
        onClose={close}
      >
        {error === undefined ? <p>{told} invoices were paid by a transfer that is exactly their amount.</p> : null}
        {error === undefined ? null : <Fault error={error} />}
        <div className="actions">
          <Button look="primary" onPress={close} autoFocus>
            Close
          </Button>
        </div>
      </Dialog>
    </>
  );
}
