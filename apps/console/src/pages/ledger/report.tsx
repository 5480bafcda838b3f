import { Link, useParams } from 'wouter';
import { useEndless } from '../../api/hooks.js';
import { monthOf } from '../../format/time.js';
import { filled, useAddress } from '../../ui/address.js';
import { Field, Select } from '../../ui/fields.js';
import { Page } from '../../ui/page.js';
import { ReportExports } from '../../ui/report-exports.js';
import { Empty } from '../../ui/states.js';
import { Table } from '../../ui/table.js';
import { useOffers } from '../invoices/setup/offers.js';
import { LedgerNav } from './nav.js';
import { paymentReports } from './payment-reports.js';
import { RangeFields, rangeQuery } from './range.js';
import { bookReports, type Report, type ReportQuery } from './reports.js';
import { usePlaced } from './rows.js';

const shown = { ...bookReports, ...paymentReports };
const bodies = Object.entries(shown).map(([name, { title, says }]) => ({ name, title, says }));

/** One report with its parameters; without a name, which ones there are. */
export default function ReportPage() {
  const { report: name } = useParams<{ report?: string }>();
  if (name === undefined) return <Reports />;
  // Each has rows of its own shape, so each is named here for its type to be known.
  switch (name) {
    case 'ageing':
      return <Shown key={name} name={name} report={bookReports.ageing} />;
    case 'revenue':
      return <Shown key={name} name={name} report={bookReports.revenue} />;
    case 'revenue-timing':
      return <Shown key={name} name={name} report={bookReports['revenue-timing']} />;
    case 'daily-revenue':
      return <Shown key={name} name={name} report={bookReports['daily-revenue']} />;
    case 'callers':
      return <Shown key={name} name={name} report={bookReports.callers} />;
    case 'statement':
      return <Shown key={name} name={name} report={bookReports.statement} />;
    case 'settlements':
      return <Shown key={name} name={name} report={paymentReports.settlements} />;
    case 'unpaid':
      return <Shown key={name} name={name} report={paymentReports.unpaid} />;
    case 'refunds':
      return <Shown key={name} name={name} report={paymentReports.refunds} />;
    case 'sweeps':
      return <Shown key={name} name={name} report={paymentReports.sweeps} />;
    case 'dust':
      return <Shown key={name} name={name} report={paymentReports.dust} />;
    case 'gas':
      return <Shown key={name} name={name} report={paymentReports.gas} />;
    default:
      return (
        <Page title="Report" above={{ href: '/ledger/reports', title: 'Reports' }}>
          <Empty>There is no such report.</Empty>
        </Page>
      );
  }
}

const Reports = () => (
  <Page title="Reports" above={{ href: '/ledger', title: 'Ledger' }}>
    <LedgerNav />
    <ul className="choices">
      {bodies.map(({ name, title, says }) => (
        <li key={name}>
          <Link href={`/ledger/reports/${name}`}>{title}</Link>
          <span className="muted">{says}</span>
        </li>
      ))}
    </ul>
  </Page>
);

const unfiltered = { month: monthOf(new Date()), from: '', to: '', asOf: '', customer: '', by: 'day', ethUsd: '' };

function Shown<Row extends object>({ name, report }: { readonly name: string; readonly report: Report<Row> }) {
  const [filters, setFilters] = useAddress(unfiltered);
  const { params } = report;
  const has = (param: (typeof params)[number]): boolean => params.includes(param);
  const query: ReportQuery = {
    ...(has('range') ? rangeQuery(filters) : {}),
    ...filled({
      month: has('month') ? filters.month : '',
      asOf: has('asOf') ? filters.asOf : '',
      customer: has('customer') ? filters.customer : '',
      ethUsd: has('ethUsd') ? filters.ethUsd : '',
    }),
    ...(has('by') ? { by: filters.by === 'settlement' ? ('settlement' as const) : ('day' as const) } : {}),
  };
  const isReady = !has('customer') || filters.customer !== '';
  const list = usePlaced(
    useEndless(['report', name, query], async (cursor) =>
      isReady ? report.read(query, cursor) : { items: [], next: null },
    ),
  );
  return (
    <Page title={report.title} above={{ href: '/ledger/reports', title: 'Reports' }}>
      <LedgerNav />
      <p className="muted">{report.says}</p>
      <div className="filters" role="search">
        {has('customer') ? (
          <CustomerField value={filters.customer} onChange={(customer) => setFilters({ customer })} />
        ) : null}
        {has('range') ? <RangeFields value={filters} onChange={setFilters} /> : null}
        {has('month') ? (
          <Field label="Month" type="month" value={filters.month} onChange={(month) => setFilters({ month })} />
        ) : null}
        {has('asOf') ? (
          <Field label="At the end of" type="date" value={filters.asOf} onChange={(asOf) => setFilters({ asOf })} />
        ) : null}
        {has('by') ? (
          <Select
            label="By"
            value={filters.by}
            onChange={(by) => setFilters({ by })}
            choices={[
              { id: 'day', label: 'Day' },
              { id: 'settlement', label: 'Settlement' },
            ]}
          />
        ) : null}
        {has('ethUsd') ? (
          <Field
            label="Dollars for one ETH"
            value={filters.ethUsd}
            onChange={(ethUsd) => setFilters({ ethUsd })}
            placeholder="3000"
          />
        ) : null}
      </div>
      <Table
        name={report.title.toLowerCase()}
        columns={report.columns}
        list={list}
        keyOf={({ place }) => `${place}`}
        empty={isReady ? 'There is nothing of it.' : 'Choose a customer.'}
        exports={isReady ? <ReportExports path={`/reports/${name}`} query={{ ...query }} /> : undefined}
      />
    </Page>
  );
}

interface CustomerFieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function CustomerField({ value, onChange }: CustomerFieldProps) {
  const suggestions = useOffers('customers', '');
  const known = suggestions.find((offer) => offer.value === value);
  return (
    <Field
      label="Customer"
      value={value}
      onChange={onChange}
      suggestions={suggestions}
      hint={known?.label ?? 'Its id; a part of the name finds it.'}
    />
  );
}
