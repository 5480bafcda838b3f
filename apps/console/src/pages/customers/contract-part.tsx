import { Link } from 'wouter';
import { useMay } from '../../api/hooks.js';
import { Facts, Section } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Id, Moment } from '../../ui/values.js';
import { ContractTerms } from './contract-terms.js';
import type { Account } from './customers.js';
import { type Contract, type Customer, type Directory, useDirectory } from './directory.js';

/** Who is invoiced for the account, by whom, and when; and the customer's master data. */
export function ContractPart({ account }: { readonly account: Account }) {
  const directory = useDirectory();
  return (
    <Shown of={directory} what="Reading contracts">
      {(known) => <Contracts account={account} directory={known} />}
    </Shown>
  );
}

function Contracts({ account, directory }: { readonly account: Account; readonly directory: Directory }) {
  const mayMoney = useMay('money');
  const contracts = directory.contracts(account.id);
  const [latest] = contracts;
  const customer = directory.customerOf(account.id);
  const setUp = (
    <Link className="button" href="/invoices/setup/contracts">
      Customers and contracts
    </Link>
  );
  return (
    <>
      <Section title="Contracts" actions={mayMoney ? setUp : undefined}>
        <Table
          name="contracts"
          columns={columnsOf(directory)}
          list={wholeList(contracts)}
          keyOf={({ id }) => id}
          empty="No contract names this account: its periods are drafted, and no invoice of it can be final."
        />
      </Section>
      {latest === undefined ? null : <ContractTerms contract={latest} />}
      <Section
        title="Customer"
        actions={
          customer === undefined ? undefined : (
            <Link className="button quiet" href={`/invoices/customers/${customer.id}`}>
              Its page
            </Link>
          )
        }
      >
        {customer === undefined ? <Empty>Nobody is invoiced for this account.</Empty> : <MasterData of={customer} />}
      </Section>
    </>
  );
}

const columnsOf = (directory: Directory): readonly Column<Contract>[] => [
  {
    title: 'Customer',
    text: ({ customerId }) => directory.customer(customerId)?.legalName ?? customerId,
    width: 'minmax(12rem, 2fr)',
  },
  {
    title: 'Starts',
    text: ({ startsAt }) => startsAt,
    cell: ({ startsAt }) => <Moment at={startsAt} />,
    width: '13rem',
  },
  { title: 'Ends', text: ({ endsAt }) => endsAt ?? '', cell: ({ endsAt }) => <Moment at={endsAt} />, width: '13rem' },
  {
    title: 'Seller',
    text: ({ sellerId }) => sellerId,
    cell: ({ sellerId }) => <Id value={sellerId} />,
    width: '10rem',
  },
  {
    title: 'Made',
    text: ({ createdAt }) => createdAt,
    cell: ({ createdAt }) => <Moment at={createdAt} />,
    width: '13rem',
  },
];

const MasterData = ({ of: customer }: { readonly of: Customer }) => (
  <Facts
    of={[
      ['Legal name', <bdi key="name">{customer.legalName}</bdi>],
      [
        'Address',
        <bdi key="address" className="lines">
          {customer.address}
        </bdi>,
      ],
      ['Tax id', customer.taxId ?? '–'],
      ['Tax code', customer.taxCode ?? '–'],
      ['Language', customer.language],
      ['Reporting currency', customer.reportingCurrency],
      ['Days to pay', String(customer.paymentDays)],
      [
        'Contacts',
        customer.contacts.length === 0 ? (
          '–'
        ) : (
          <ul key="contacts" className="plain-list">
            {customer.contacts.map(({ name, email }) => (
              <li key={email}>
                <bdi>{name}</bdi>, {email}
              </li>
            ))}
          </ul>
        ),
      ],
      ['Since', <Moment key="since" at={customer.createdAt} />],
      ['Id', <Id key="id" value={customer.id} />],
    ]}
  />
);
