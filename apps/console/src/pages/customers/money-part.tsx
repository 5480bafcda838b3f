import type { components } from '@keyfare/api-types/billing';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay, useRead } from '../../api/hooks.js';
import { toMicros } from '../../format/money.js';
import { formatMonth, monthOf } from '../../format/time.js';
import { usePreferences } from '../../shell/preferences.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Field } from '../../ui/fields.js';
import { Exports, Section, Stat } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Day, Money } from '../../ui/values.js';
import { ApplyCredit } from './apply-credit.js';
import type { Account } from './customers.js';
import { type Customer, useDirectory } from './directory.js';

type Invoice = components['schemas']['InvoiceSummary'];

/** What was invoiced, paid and is owed. */
export function MoneyPart({ account }: { readonly account: Account }) {
  const directory = useDirectory();
  const customer = directory.data?.customerOf(account.id);
  return (
    <>
      <Invoices account={account} />
      {account.plan.overage === 'x402' ? (
        <p>
          <Link href={`/payments?account=${account.id}`}>Payments by wallet, for what was beyond its plan</Link>
        </p>
      ) : null}
      <Shown of={directory} what="Reading contracts">
        {() =>
          customer === undefined ? (
            <Section title="Statement">
              <Empty>No contract names a customer for this account, so nothing is owed yet.</Empty>
            </Section>
          ) : (
            <>
              <Credit account={account} customer={customer} />
              <Statement customer={customer} />
            </>
          )
        }
      </Shown>
    </>
  );
}

export const useInvoices = (account: string) =>
  useEndless(['invoices', { account }], async (cursor) =>
    ok(
      billing.GET('/invoices', {
        params: { query: { account, limit: '100', ...(cursor === undefined ? {} : { cursor }) } },
      }),
    ),
  );

function Invoices({ account }: { readonly account: Account }) {
  const [, navigate] = useLocation();
  const { locale } = usePreferences();
  const list = useInvoices(account.id);
  const columns: readonly Column<Invoice>[] = [
    { title: 'Month', text: ({ month }) => month, cell: ({ month }) => formatMonth(month, locale), width: '10rem' },
    { title: 'Number', text: ({ number }) => number ?? '', cell: ({ number }) => number ?? '–' },
    { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '8rem' },
    money('Payable', ({ payable }) => payable),
    money('Paid', ({ paid }) => paid),
    money('Credited', ({ credited }) => credited),
    money('Outstanding', ({ outstanding }) => outstanding),
    { title: 'Due', text: ({ dueOn }) => dueOn ?? '', cell: ({ dueOn }) => <Day of={dueOn} />, width: '8rem' },
  ];
  return (
    <Section title="Invoices">
      <Table
        name="invoices"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/invoices/${id}`)}
        empty="No month of this account has been drafted."
      />
    </Section>
  );
}

const money = (title: string, read: (invoice: Invoice) => string | null): Column<Invoice> => ({
  title,
  text: (invoice) => read(invoice) ?? '',
  cell: (invoice) => <Money amount={read(invoice)} asset={invoice.currency} />,
  isNumber: true,
});

function Credit({ account, customer }: { readonly account: Account; readonly customer: Customer }) {
  const mayMoney = useMay('money');
  const [isApplying, setApplying] = useState(false);
  const credit = useRead(['credit', customer.id], async () =>
    ok(billing.GET('/customers/{id}/credit', { params: { path: { id: customer.id } } })),
  );
  return (
    <Section title="Credit">
      <Shown of={credit}>
        {({ balance }) => (
          <>
            <div className="stats">
              <Stat label="Credit that the customer has with us">
                <Money amount={balance} asset="USD" />
              </Stat>
            </div>
            {mayMoney && toMicros(balance) > 0n ? (
              <p>
                <Button onPress={() => setApplying(true)}>Pay an invoice with it</Button>
              </p>
            ) : null}
            {isApplying ? (
              <ApplyCredit
                account={account.id}
                customer={customer.id}
                balance={balance}
                onClose={() => setApplying(false)}
              />
            ) : null}
          </>
        )}
      </Shown>
    </Section>
  );
}

const readStatement = async (
  customer: string,
  range: { readonly from: string; readonly to: string },
  cursor?: string,
) =>
  ok(
    billing.GET('/reports/statement', {
      params: {
        query: {
          customer,
          limit: '100',
          ...(cursor === undefined ? {} : { cursor }),
          ...(range.from === '' ? {} : { from: range.from }),
          ...(range.to === '' ? {} : { to: range.to }),
        },
      },
    }),
  );

type Line = Awaited<ReturnType<typeof readStatement>>['items'][number];

const unfiltered = { from: '', to: '' };

function Statement({ customer }: { readonly customer: Customer }) {
  const [filters, setFilters] = useAddress(unfiltered);
  const month = monthOf(new Date());
  const range = { from: filters.from || `${month.slice(0, 4)}-01`, to: filters.to || month };
  const list = useEndless(['statement', customer.id, range], async (cursor) =>
    readStatement(customer.id, range, cursor),
  );
  return (
    <Section
      title="Statement"
      actions={<Exports path="/reports/statement" query={{ customer: customer.id, ...range }} />}
    >
      <div className="filters">
        <Field label="From" type="month" value={range.from} onChange={(from) => setFilters({ from })} />
        <Field label="To" type="month" value={range.to} onChange={(to) => setFilters({ to })} />
      </div>
      <Table
        name="statement"
        columns={lines}
        list={list}
        keyOf={({ at, kind, document, balance }) => `${at}${kind}${document}${balance}`}
        empty="Nothing happened in these months."
      />
    </Section>
  );
}

const lines: readonly Column<Line>[] = [
  { title: 'On', text: ({ at }) => at ?? '', cell: ({ at }) => <Day of={at} />, width: '8rem' },
  { title: 'What', text: ({ kind }) => kind, width: '9rem' },
  { title: 'Document', text: ({ document }) => document ?? '' },
  {
    title: 'Amount',
    text: ({ amount }) => amount ?? '',
    cell: ({ amount, asset }) => <Money amount={amount} asset={asset} />,
    isNumber: true,
  },
  {
    title: 'Balance',
    text: ({ balance }) => balance,
    cell: ({ balance, asset }) => <Money amount={balance} asset={asset} />,
    isNumber: true,
  },
];
