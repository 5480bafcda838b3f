import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay, useRead } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Facts, Page, Section } from '../../ui/page.js';
import { Shown } from '../../ui/states.js';
import { Table } from '../../ui/table.js';
import { Dash } from '../../ui/values.js';
import { Credit } from './credit.js';
import type { Customer } from './kinds.js';
import { contracts } from './setup/contracts.js';
import { customers } from './setup/customers.js';
import { MasterForm } from './setup/master-form.js';

/** One customer as invoices know it: master data, contracts, credit. */
export default function CustomerPage() {
  const { id } = useParams<{ id: string }>();
  const [isChanging, setChanging] = useState(false);
  const mayMoney = useMay('money');
  const customer = useRead(['billed-customers', id], async () =>
    ok(billing.GET('/customers/{id}', { params: { path: { id } } })),
  );
  return (
    <Page
      title={customer.data?.legalName ?? 'Customer'}
      above={{ href: '/invoices/setup/customers', title: 'Customers' }}
      actions={
        <>
          <Link className="button" href={`/ledger/reports/statement?customer=${id}`}>
            Statement
          </Link>
          {mayMoney && customer.data !== undefined ? <Button onPress={() => setChanging(true)}>Change</Button> : null}
        </>
      }
    >
      <Shown of={customer}>
        {(shown) => (
          <>
            <Facts of={factsOf(shown)} />
            <Contracts customer={shown} />
            <Credit customer={shown} />
            {isChanging ? <MasterForm kind={customers} row={shown} onClose={() => setChanging(false)} /> : null}
          </>
        )}
      </Shown>
    </Page>
  );
}

const factsOf = (of: Customer) =>
  [
    ['Legal name', <bdi key="name">{of.legalName}</bdi>],
    [
      'Address',
      <bdi key="address" className="lines">
        {of.address}
      </bdi>,
    ],
    ['Country', of.country ?? <Dash key="country" />],
    ['Tax id', of.taxId ?? <Dash key="taxId" />],
    ['Code of tax', of.taxCode ?? <Dash key="taxCode" />],
    ['Days to pay', `${of.paymentDays}`],
    ['Language', of.language],
    ['Reporting currency', of.reportingCurrency],
    [
      'Contacts',
      of.contacts.length === 0 ? (
        <Dash key="contacts" />
      ) : (
        <bdi key="contacts" className="lines">
          {of.contacts.map(({ name, email }) => `${name} <${email}>`).join('\n')}
        </bdi>
      ),
    ],
  ] as const;

/** The contracts of one customer. The API lists those of all, so they are read through. */
function Contracts({ customer }: { readonly customer: Customer }) {
  const mayMoney = useMay('money');
  const [isAdding, setAdding] = useState(false);
  const all = useEndless([contracts.key], async (cursor) => contracts.read(cursor));
  const own = { ...all, rows: all.rows.filter(({ customerId }) => customerId === customer.id) };
  return (
    <Section title="Contracts">
      <Table
        name="contracts of the customer"
        columns={contracts.columns.filter(({ title }) => title !== 'Customer')}
        list={own}
        keyOf={({ id }) => id}
        empty="No contract yet: no invoice of an account goes to this customer."
        actions={mayMoney ? <Button onPress={() => setAdding(true)}>New contract</Button> : undefined}
      />
      {isAdding ? (
        <MasterForm kind={contracts} given={{ customerId: customer.id }} onClose={() => setAdding(false)} />
      ) : null}
    </Section>
  );
}
