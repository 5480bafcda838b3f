import type { components, paths } from '@keyfare/api-types/billing';
import { useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Field, Select } from '../../ui/fields.js';
import { Section } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Money } from '../../ui/values.js';
import { BulkDialog } from './bulk.js';

export type Break = components['schemas']['Break'];
type Query = NonNullable<paths['/breaks']['get']['parameters']['query']>;

const columns: readonly Column<Break>[] = [
  {
    title: 'Weight',
    text: ({ severity }) => severity,
    cell: ({ severity }) => <Badge state={severity} />,
    width: '6rem',
  },
  { title: 'Break', text: ({ class: name }) => name, width: '12rem' },
  { title: 'What', text: ({ detail }) => detail, width: 'minmax(14rem, 1fr)' },
  {
    title: 'Amount',
    text: ({ amount, asset }) => (amount === null ? '' : `${amount} ${asset ?? ''}`),
    cell: ({ amount, asset }) => <Money amount={amount} asset={asset} />,
    isNumber: true,
    width: '10rem',
  },
  { title: 'Age in days', text: ({ ageDays }) => String(ageDays), isNumber: true, width: '7rem' },
  { title: 'Owner', text: ({ owner }) => owner ?? '', width: '8rem' },
  { title: 'Due', text: ({ dueOn }) => dueOn ?? '', width: '7rem' },
  {
    title: 'State',
    text: ({ status, proposal }) => (proposal === null ? status : 'proposed'),
    cell: ({ status, proposal }) => <Badge state={proposal === null ? status : 'proposed'} />,
    width: '7rem',
  },
];

const choices = (any: string, names: readonly string[]) => [
  { id: '', label: any },
  ...names.map((id) => ({ id, label: id })),
];

/** The case queue as a workplace: its filters are in the address, so a view of it can be sent to somebody. */
export function Queue() {
  const [search, setSearch] = useSearchParams();
  const [, navigate] = useLocation();
  const mayWrite = useMay('write');
  const mayPost = useMay('money');
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [isBulkOpen, setBulkOpen] = useState(false);
  const filter = {
    status: search.get('status') ?? 'open',
    severity: search.get('severity') ?? '',
    class: search.get('class') ?? '',
    owner: search.get('owner') ?? '',
  };
  const set = (name: keyof typeof filter, value: string): void => {
    setSelected(new Set());
    setSearch((before) => {
      const next = new URLSearchParams(before);
      // The state has a default that is not "any", so that "any" is said.
      if (value === '' && name !== 'status') next.delete(name);
      else next.set(name, value);
      return next;
    });
  };
  const query = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== '')) as Query;
  const list = useEndless(['breaks', query], async (cursor) =>
    ok(
      billing.GET('/breaks', {
        params: { query: { ...query, limit: '200', ...(cursor === undefined ? {} : { cursor }) } },
      }),
    ),
  );
  const rows = list.rows.filter(({ id }) => selected.has(id));
  return (
    <Section title="Cases">
      <div className="filters">
        <Select
          label="State"
          value={filter.status}
          onChange={(value) => set('status', value)}
          choices={choices('Any', ['open', 'resolved'])}
        />
        <Select
          label="Weight"
          value={filter.severity}
          onChange={(value) => set('severity', value)}
          choices={choices('Any', ['high', 'medium', 'low'])}
        />
        <Select
          label="Break"
          value={filter.class}
          onChange={(value) => set('class', value)}
          choices={choices('Any', classes)}
        />
        <Field label="Owner" type="search" value={filter.owner} onChange={(value) => set('owner', value)} />
      </div>
      <Table
        name="breaks"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/reconciliation/breaks/${id}`)}
        empty="Nothing is open with these filters."
        {...(mayWrite || mayPost ? { selection: { keys: selected, change: setSelected } } : {})}
        actions={
          rows.length === 0 ? null : (
            <Button look="primary" onPress={() => setBulkOpen(true)}>
              Change {rows.length}
            </Button>
          )
        }
      />
      <BulkDialog
        breaks={rows}
        isOpen={isBulkOpen}
        onClose={() => setBulkOpen(false)}
        onDone={() => setSelected(new Set())}
      />
    </Section>
  );
}

/** All that the API knows: one more there, and this does not compile. */
const classes = Object.keys({
  'receipt-invalid': true,
  'receipt-missing': true,
  'digest-mismatch': true,
  'usage-mismatch': true,
  'terms-missing': true,
  'call-mismatch': true,
  'account-ended': true,
  'terms-mismatch': true,
  'meter-mismatch': true,
  'units-over-limit': true,
  'history-changed': true,
  'entry-unposted': true,
  'posting-without-entry': true,
  'ledger-mismatch': true,
  'invoice-stale': true,
  'invoice-mismatch': true,
  'recorded-not-settled': true,
  'settled-not-recorded': true,
  'amount-mismatch': true,
  'duplicate-settlement': true,
  'match-mismatch': true,
  'deferred-overdue': true,
  uncollectable: true,
  'refund-due': true,
  'unknown-inbound': true,
  'unknown-outbound': true,
  'balance-mismatch': true,
  'intake-stalled': true,
  'chain-stalled': true,
  'chain-rewritten': true,
} satisfies Record<NonNullable<Query['class']>, true>);
