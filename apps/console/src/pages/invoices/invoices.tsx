import { useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Field, Select } from '../../ui/fields.js';
import { Page } from '../../ui/page.js';
import { ReportExports } from '../../ui/report-exports.js';
import { SearchField } from '../../ui/search-field.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Dash, Day, Money } from '../../ui/values.js';
import { DraftButton } from './draft.js';
import { type InvoiceSummary, invoiceStates } from './kinds.js';
import { InvoicesNav } from './nav.js';

const columns: readonly Column<InvoiceSummary>[] = [
  { title: 'Number', text: ({ number }) => number ?? '', cell: ({ number }) => number ?? <Dash />, width: '9rem' },
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '9rem' },
  { title: 'Month', text: ({ month }) => month, width: '6rem' },
  { title: 'Account', text: ({ accountName }) => accountName, width: 'minmax(12rem, 2fr)' },
  {
    title: 'To pay',
    text: ({ payable }) => payable,
    cell: ({ payable, currency }) => <Money amount={payable} asset={currency} />,
    isNumber: true,
  },
  {
    title: 'Open',
    text: ({ outstanding }) => outstanding ?? '',
    cell: ({ outstanding, currency }) => <Money amount={outstanding} asset={currency} />,
    isNumber: true,
  },
  { title: 'Due', text: ({ dueOn }) => dueOn ?? '', cell: ({ dueOn }) => <Day of={dueOn} />, width: '8rem' },
];

const unfiltered = { state: '', month: '', account: '' };

/** What customers owe: drafts and final invoices, the newest month first. */
export default function Invoices() {
  const [, navigate] = useLocation();
  const [filters, setFilters] = useAddress(unfiltered);
  const { state: wanted, month, account } = filters;
  const state = invoiceStates.find((known) => known === wanted);
  const list = useEndless(['invoices', filters], async (cursor) =>
    ok(
      billing.GET('/invoices', {
        params: { query: { ...filled({ month, account, limit: '200', cursor }), ...(state ? { state } : {}) } },
      }),
    ),
  );
  return (
    <Page title="Invoices" actions={useMay('money') ? <DraftButton /> : undefined}>
      <InvoicesNav />
      <div className="filters" role="search">
        <Select
          label="State"
          value={wanted}
          onChange={(id) => setFilters({ state: id })}
          choices={[{ id: '', label: 'All' }, ...invoiceStates.map((id) => ({ id, label: id.replaceAll('_', ' ') }))]}
        />
        <Field label="Month" type="month" value={month} onChange={(text) => setFilters({ month: text })} />
        <SearchField label="Id of an account" value={account} onChange={(text) => setFilters({ account: text })} />
      </div>
      <Table
        name="invoices"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/invoices/${id}`)}
        empty="No invoice is like that. Drafts are drawn up by themselves when a month is over."
        exports={
          state === undefined && account === '' ? (
            <ReportExports path="/reports/invoices" query={{ month }} />
          ) : undefined
        }
      />
    </Page>
  );
}
