import { monthBefore } from '../../format/time.js';
import { useAddress } from '../../ui/address.js';
import { Field, Select } from '../../ui/fields.js';
import { Page, Section } from '../../ui/page.js';
import { LedgerNav } from './nav.js';
import { RangeFields, rangeQuery } from './range.js';

const programs = { quickbooks: 'QuickBooks Online', xero: 'Xero', netsuite: 'NetSuite' } as const;

/** The books as other programs import them. */
export default function Files() {
  const [filters, setFilters] = useAddress({
    month: monthBefore(new Date()),
    from: '',
    to: '',
    program: 'quickbooks',
    asset: 'USD',
    by: 'month',
    accounts: 'control',
    taxRate: '',
    account: '',
    provider: '',
  });
  const range = rangeQuery(filters);
  const { program, asset, by, accounts, taxRate, account, provider } = filters;
  const isXero = program === 'xero';
  return (
    <Page title="Files for other programs" above={{ href: '/ledger', title: 'Ledger' }}>
      <LedgerNav />
      <div className="filters">
        <RangeFields value={filters} onChange={setFilters} />
      </div>
      <Section
        title="Journals for accounting programs"
        actions={
          <Download
            path="/exports/journals"
            query={{ ...range, program, asset, by, accounts, ...(isXero && taxRate !== '' ? { taxRate } : {}) }}
            name={`${program}-${asset}.csv`}
          />
        }
      >
        <p className="muted">
          In whole cents, one asset a file. Import each range once: a file that is made again has the same numbers of
          journals, by which the program tells a second import.
        </p>
        <div className="filters">
          <Select
            label="Program"
            value={program}
            onChange={(id) => setFilters({ program: id })}
            choices={Object.entries(programs).map(([id, label]) => ({ id, label }))}
          />
          <Select
            label="Asset"
            value={asset}
            onChange={(id) => setFilters({ asset: id })}
            choices={['USD', 'USDC', 'EURC'].map((id) => ({ id, label: id }))}
          />
          <Select
            label="A journal for each"
            value={by}
            onChange={(id) => setFilters({ by: id })}
            choices={['month', 'day'].map((id) => ({ id, label: id }))}
          />
          <Select
            label="Accounts"
            value={accounts}
            onChange={(id) => setFilters({ accounts: id })}
            choices={[
              { id: 'control', label: 'Control accounts' },
              { id: 'each', label: 'Each by itself' },
            ]}
          />
          {isXero ? (
            <Field
              label="Your rate for no tax"
              value={taxRate}
              onChange={(text) => setFilters({ taxRate: text })}
              placeholder="Tax Exempt"
            />
          ) : null}
        </div>
      </Section>
      <Section
        title="hledger"
        actions={<Download path="/exports/hledger" query={range} name={`${range.month ?? range.from}.journal`} />}
      >
        <p className="muted">Plain text with all decimals: the balances before, then each journal.</p>
      </Section>
      <Section
        title="FOCUS 1.2, the usage of one account"
        actions={
          account === '' || provider === '' ? undefined : (
            <Download
              path="/exports/focus"
              query={{ account, provider, ...(filters.month === '' ? {} : { month: filters.month }) }}
              name={`focus-${account}.csv`}
            />
          )
        }
      >
        <p className="muted">Of the month above, for the customer's own cost programs.</p>
        <div className="filters">
          <Field
            label="Account"
            value={account}
            onChange={(text) => setFilters({ account: text })}
            placeholder="acct_…"
          />
          <Field
            label="Your name as the customer knows it"
            value={provider}
            onChange={(text) => setFilters({ provider: text })}
          />
        </div>
      </Section>
    </Page>
  );
}

interface DownloadProps {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly name: string;
}

const Download = ({ path, query, name }: DownloadProps) => (
  <a className="button primary" href={`${path}?${new URLSearchParams(query).toString()}`} download={name}>
    Save the file
  </a>
);
