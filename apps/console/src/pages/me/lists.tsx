import type { components, paths } from '@keyfare/api-types/billing';
import { billing, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { saveFile } from '../../ui/csv.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Count, Day, Moment, Money } from '../../ui/values.js';

const part = (cursor: string | undefined) => ({
  params: { query: { limit: '100', ...(cursor === undefined ? {} : { cursor }) } },
});

type Invoice = components['schemas']['OwnInvoicePage']['items'][number];

const invoiceColumns: readonly Column<Invoice>[] = [
  { title: 'Number', text: ({ number }) => number ?? '', width: 'minmax(8rem, 1fr)' },
  { title: 'Month', text: ({ month }) => month, width: '7rem' },
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '9rem' },
  {
    title: 'To pay',
    text: ({ payable }) => payable,
    cell: ({ payable }) => <Money amount={payable} asset="USD" />,
    isNumber: true,
    width: '9rem',
  },
  {
    title: 'Open',
    text: ({ outstanding }) => outstanding ?? '',
    cell: ({ outstanding }) => <Money amount={outstanding} asset="USD" />,
    isNumber: true,
    width: '9rem',
  },
  { title: 'Due', text: ({ dueOn }) => dueOn ?? '', cell: ({ dueOn }) => <Day of={dueOn} />, width: '8rem' },
];

/** Those that are final; one opens as its PDF. */
export function Invoices() {
  const list = useEndless(['me', 'invoices'], async (cursor) => ok(billing.GET('/me/invoices', part(cursor))));
  return (
    <Table
      name="invoices"
      columns={invoiceColumns}
      list={list}
      keyOf={({ id }) => id}
      onOpen={({ id }) => window.open(`/me/invoices/${id}/pdf`, '_blank', 'noopener')}
      empty="No invoice is final yet."
    />
  );
}

type Line = paths['/me/statement']['get']['responses'][200]['content']['application/json']['items'][number];

const statementColumns: readonly Column<Line>[] = [
  { title: 'When', text: ({ at }) => at, cell: ({ at }) => <Moment at={at} />, width: '13rem' },
  { title: 'What', text: ({ kind }) => kind, width: '9rem' },
  { title: 'Document', text: ({ document }) => document ?? '', width: 'minmax(8rem, 1fr)' },
  {
    title: 'Amount',
    text: ({ amount }) => amount ?? '',
    cell: ({ amount, asset }) => <Money amount={amount} asset={asset} />,
    isNumber: true,
    width: '9rem',
  },
  {
    title: 'Balance',
    text: ({ balance }) => balance,
    cell: ({ balance, asset }) => <Money amount={balance} asset={asset} />,
    isNumber: true,
    width: '9rem',
  },
];

/** What is owed, and how it came about, in the running month. */
export function Statement() {
  const list = useEndless(['me', 'statement'], async (cursor) => ok(billing.GET('/me/statement', part(cursor))));
  return (
    <Table
      name="statement"
      columns={statementColumns}
      list={list}
      keyOf={({ at, kind, document }) => `${at} ${kind} ${document ?? ''}`}
    />
  );
}

type Receipt = components['schemas']['OwnReceipt'];

const receiptColumns: readonly Column<Receipt>[] = [
  { title: 'When', text: ({ at }) => at, cell: ({ at }) => <Moment at={at} />, width: '13rem' },
  { title: 'Product', text: ({ product }) => product, width: 'minmax(8rem, 1fr)' },
  {
    title: 'Units',
    text: ({ units }) => units,
    cell: ({ units }) => <Count value={units} />,
    isNumber: true,
    width: '7rem',
  },
  {
    title: 'Amount',
    text: ({ amount }) => amount,
    cell: ({ amount, asset }) => <Money amount={amount} asset={asset} />,
    isNumber: true,
    width: '9rem',
  },
  { title: 'Receipt', text: ({ id }) => id, width: '20rem' },
];

/** Of calls by key; one is saved as it was signed. */
export function Receipts() {
  const list = useEndless(['me', 'receipts'], async (cursor) => ok(billing.GET('/me/receipts', part(cursor))));
  return (
    <Table
      name="receipts"
      columns={receiptColumns}
      list={list}
      keyOf={({ id }) => id}
      onOpen={({ id, receipt }) => {
        if (receipt !== null) saveFile(`${id}.jws`, receipt, 'application/jose');
      }}
      empty="No call was made by key yet."
    />
  );
}
