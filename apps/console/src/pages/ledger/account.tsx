import type { paths } from '@keyfare/api-types/billing';
import { useParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { monthOf } from '../../format/time.js';
import { useAddress } from '../../ui/address.js';
import { column } from '../../ui/columns.js';
import { Page } from '../../ui/page.js';
import { ReportExports } from '../../ui/report-exports.js';
import { type Column, Table } from '../../ui/table.js';
import { LedgerNav } from './nav.js';
import { RangeFields, rangeQuery } from './range.js';
import { usePlaced } from './rows.js';
import { Source } from './source.js';

type Row = paths['/reports/general-ledger']['get']['responses'][200]['content']['application/json']['items'][number];

const columns: readonly Column<Row>[] = [
  column.state('Row', ({ row }) => (row === 'movement' ? null : row), '7rem'),
  column.day('Day', ({ date }) => date),
  column.text('Kind', ({ kind }) => kind, '9rem'),
  { title: 'Source', text: ({ source }) => source ?? '', cell: ({ source }) => <Source of={source} />, width: '14rem' },
  column.money(
    'Debit',
    ({ debit }) => debit,
    ({ asset }) => asset,
  ),
  column.money(
    'Credit',
    ({ credit }) => credit,
    ({ asset }) => asset,
  ),
  column.money(
    'Balance',
    ({ balance }) => balance,
    ({ asset }) => asset,
  ),
  column.id('Journal', ({ journal }) => journal),
  column.moment('Happened', ({ occurredAt }) => occurredAt),
];

/** One ledger account: its balance before, each movement with the balance after it, its balance at the end. */
export default function LedgerAccount() {
  const { account: written } = useParams<{ account: string }>();
  const account = decodeURIComponent(written);
  const [range, setRange] = useAddress({ month: monthOf(new Date()), from: '', to: '' });
  const query = { ...rangeQuery(range), ledgerAccount: account };
  const list = usePlaced(
    useEndless(['general-ledger', query], async (cursor) =>
      ok(
        billing.GET('/reports/general-ledger', {
          params: { query: { ...query, limit: '200', ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    ),
  );
  return (
    <Page title={account} above={{ href: '/ledger', title: 'Trial balance' }}>
      <LedgerNav />
      <div className="filters" role="search">
        <RangeFields value={range} onChange={setRange} />
      </div>
      <p className="muted">A balance of debits is positive, one of credits negative.</p>
      <Table
        name="movements"
        columns={columns}
        list={list}
        keyOf={({ place }) => `${place}`}
        empty="Nothing moved then."
        exports={<ReportExports path="/reports/general-ledger" query={query} />}
      />
    </Page>
  );
}
