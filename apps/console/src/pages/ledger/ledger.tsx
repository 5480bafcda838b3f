import type { paths } from '@keyfare/api-types/billing';
import { useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { sumMoney } from '../../format/money.js';
import { filled, useAddress } from '../../ui/address.js';
import { column } from '../../ui/columns.js';
import { Field, Select } from '../../ui/fields.js';
import { Page, Stat } from '../../ui/page.js';
import { ReportExports } from '../../ui/report-exports.js';
import { Table } from '../../ui/table.js';
import { Badge, Money } from '../../ui/values.js';
import { LedgerNav } from './nav.js';

type Row = paths['/reports/trial-balance']['get']['responses'][200]['content']['application/json']['items'][number];

const columns = [
  column.text<Row>('Ledger account', ({ account }) => account, 'minmax(18rem, 4fr)'),
  column.text<Row>('Type', ({ type }) => type, '7rem'),
  column.text<Row>('Asset', ({ asset }) => asset, '6rem'),
  column.money<Row>(
    'Debit',
    ({ debit }) => debit,
    ({ asset }) => asset,
  ),
  column.money<Row>(
    'Credit',
    ({ credit }) => credit,
    ({ asset }) => asset,
  ),
];

const unfiltered = { asOf: '', type: '', asset: '', part: '' };
const types = ['asset', 'liability', 'equity', 'income', 'expense'];
const assets = ['USD', 'USDC', 'EURC', 'ETH'];

/** Each ledger account that has a balance, at the end of a day. */
export default function Ledger() {
  const [, navigate] = useLocation();
  const [filters, setFilters] = useAddress(unfiltered);
  const { asOf, type, asset, part } = filters;
  const list = useEndless(['trial-balance', asOf], async (cursor) =>
    ok(billing.GET('/reports/trial-balance', { params: { query: filled({ asOf, cursor, limit: '200' }) } })),
  );
  // What is shown of it is chosen here: the balance is of all accounts.
  const rows = list.rows.filter(
    (row) =>
      (type === '' || row.type === type) &&
      (asset === '' || row.asset === asset) &&
      row.account.includes(part.toLowerCase()),
  );
  return (
    <Page title="Trial balance">
      <LedgerNav />
      <div className="filters" role="search">
        <Field
          label="At the end of"
          type="date"
          value={asOf}
          onChange={(day) => setFilters({ asOf: day })}
          hint="Empty: now. Days of the books are in UTC."
        />
        <Field label="Account has" type="search" value={part} onChange={(text) => setFilters({ part: text })} />
        <Select
          label="Type"
          value={type}
          onChange={(id) => setFilters({ type: id })}
          choices={[{ id: '', label: 'All' }, ...types.map((id) => ({ id, label: id }))]}
        />
        <Select
          label="Asset"
          value={asset}
          onChange={(id) => setFilters({ asset: id })}
          choices={[{ id: '', label: 'All' }, ...assets.map((id) => ({ id, label: id }))]}
        />
      </div>
      {list.isLoading || list.hasMore ? null : <Totals rows={rows} isAll={rows.length === list.rows.length} />}
      <Table
        name="trial balance"
        columns={columns}
        list={{ ...list, rows }}
        keyOf={(row) => `${row.account} ${row.asset}`}
        onOpen={(row) =>
          navigate(
            `/ledger/accounts/${encodeURIComponent(row.account)}${asOf === '' ? '' : `?month=${asOf.slice(0, 7)}`}`,
          )
        }
        empty="No account has a balance then."
        exports={<ReportExports path="/reports/trial-balance" query={{ asOf }} />}
      />
    </Page>
  );
}

/** Debits and credits of each asset: of the whole books they are equal. */
function Totals({ rows, isAll }: { readonly rows: readonly Row[]; readonly isAll: boolean }) {
  const found = assets.filter((asset) => rows.some((row) => row.asset === asset));
  return (
    <div className="stats">
      {found.map((asset) => {
        const own = rows.filter((row) => row.asset === asset);
        const debit = sumMoney(own.map((row) => row.debit));
        const credit = sumMoney(own.map((row) => row.credit));
        return (
          <Stat key={asset} label={isAll ? `${asset}: debits and credits` : `${asset}: debits, credits of these`}>
            <Money amount={debit} /> / <Money amount={credit} />{' '}
            {isAll ? (
              <Badge state={debit === credit ? 'balanced' : 'not balanced'} tone={debit === credit ? 'good' : 'bad'} />
            ) : null}
          </Stat>
        );
      })}
    </div>
  );
}
