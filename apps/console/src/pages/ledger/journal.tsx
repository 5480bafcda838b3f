import type { paths } from '@keyfare/api-types/billing';
import { useLocation } from 'wouter';
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

type Row = paths['/reports/journal']['get']['responses'][200]['content']['application/json']['items'][number];

const columns: readonly Column<Row>[] = [
  column.day('Day', ({ date }) => date),
  column.text('Kind', ({ kind }) => kind, '9rem'),
  { title: 'Source', text: ({ source }) => source, cell: ({ source }) => <Source of={source} />, width: '14rem' },
  column.text('Ledger account', ({ ledgerAccount }) => ledgerAccount, 'minmax(16rem, 3fr)'),
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
  column.id('Journal', ({ journal }) => journal),
  column.moment('Happened', ({ occurredAt }) => occurredAt),
];

/** Each line of each journal of a month or of some days. */
export default function Journal() {
  const [, navigate] = useLocation();
  const [range, setRange] = useAddress({ month: monthOf(new Date()), from: '', to: '' });
  const query = rangeQuery(range);
  const list = usePlaced(
    useEndless(['journal', query], async (cursor) =>
      ok(
        billing.GET('/reports/journal', {
          params: { query: { ...query, limit: '200', ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    ),
  );
  return (
    <Page title="Journal">
      <LedgerNav />
      <div className="filters" role="search">
        <RangeFields value={range} onChange={setRange} />
      </div>
      <Table
        name="journal"
        columns={columns}
        list={list}
        keyOf={({ place }) => `${place}`}
        onOpen={({ ledgerAccount }) =>
          navigate(
            `/ledger/accounts/${encodeURIComponent(ledgerAccount)}?${new URLSearchParams(query as Record<string, string>).toString()}`,
          )
        }
        empty="Nothing was booked then."
        exports={<ReportExports path="/reports/journal" query={query} />}
      />
    </Page>
  );
}
