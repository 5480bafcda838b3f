import type { components } from '@keyfare/api-types/gate';
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { newest, planName, usePlans } from '../../api/catalogue.js';
import { gate, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Select } from '../../ui/fields.js';
import { Page } from '../../ui/page.js';
import { SearchField } from '../../ui/search-field.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Day, Id, Moment } from '../../ui/values.js';
import { type Directory, useDirectory } from './directory.js';
import { OpenAccount } from './open-account.js';

export type Account = components['schemas']['Account'];

const states = ['active', 'suspended', 'closed'] as const;

const columnsOf = (directory: Directory | undefined): readonly Column<Account>[] => [
  { title: 'Account', text: ({ name }) => name, width: 'minmax(12rem, 2fr)' },
  {
    title: 'Invoiced to',
    text: ({ id }) => directory?.customerOf(id)?.legalName ?? '',
    width: 'minmax(10rem, 1.5fr)',
  },
  { title: 'Plan', text: ({ plan }) => planName(plan) },
  { title: 'Status', text: ({ status }) => status, cell: ({ status }) => <Badge state={status} />, width: '7rem' },
  {
    title: 'Opened',
    text: ({ createdAt }) => createdAt,
    cell: ({ createdAt }) => <Day of={createdAt} />,
    width: '8rem',
  },
  { title: 'Ends', text: ({ endsAt }) => endsAt ?? '', cell: ({ endsAt }) => <Moment at={endsAt} />, width: '13rem' },
  { title: 'Id', text: ({ id }) => id, cell: ({ id }) => <Id value={id} length={22} />, width: '13rem' },
];

const unfiltered = { search: '', status: '', plan: '' };

/** Accounts of the API, who is invoiced for them, and on which plan they are. */
export default function Customers() {
  const [, navigate] = useLocation();
  const [filters, setFilters] = useAddress(unfiltered);
  const mayWrite = useMay('write');
  const [isOpening, setOpening] = useState(false);
  const plans = usePlans();
  const directory = useDirectory();
  const query = {
    search: filters.search,
    status: states.find((state) => state === filters.status),
    plan: filters.plan,
  };
  const list = useEndless(['accounts', query], async (cursor) =>
    ok(
      gate.GET('/admin/accounts', {
        params: {
          query: {
            limit: '100',
            ...(cursor === undefined ? {} : { cursor }),
            ...(query.search === '' ? {} : { search: query.search }),
            ...(query.status === undefined ? {} : { status: query.status }),
            ...(query.plan === '' ? {} : { plan: query.plan }),
          },
        },
      }),
    ),
  );
  const columns = useMemo(() => columnsOf(directory.data), [directory.data]);
  return (
    <Page
      title="Customers"
      actions={
        mayWrite ? (
          <Button look="primary" onPress={() => setOpening(true)}>
            Open an account
          </Button>
        ) : undefined
      }
    >
      <search className="filters">
        <SearchField label="Name" value={query.search} onChange={(search) => setFilters({ search })} />
        <Select
          label="Status"
          value={query.status ?? 'all'}
          onChange={(id) => setFilters({ status: id === 'all' ? '' : id })}
          choices={[{ id: 'all', label: 'All' }, ...states.map((id) => ({ id, label: id }))]}
        />
        <Select
          label="Plan"
          value={query.plan === '' ? 'all' : query.plan}
          onChange={(id) => setFilters({ plan: id === 'all' ? '' : id })}
          choices={[
            { id: 'all', label: 'All' },
            ...newest(plans.data ?? []).map(({ slug }) => ({ id: slug, label: slug })),
          ]}
        />
      </search>
      <Table
        name="accounts"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/customers/${id}`)}
        empty={
          query.search === '' && query.status === undefined && query.plan === ''
            ? 'There is no account yet. Open the first one; its keys are made on its page.'
            : 'No account is like that.'
        }
      />
      <OpenAccount isOpen={isOpening} onClose={() => setOpening(false)} />
    </Page>
  );
}
