import type { components } from '@keyfare/api-types/billing';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Select } from '../../ui/fields.js';
import { Page } from '../../ui/page.js';
import { SearchField } from '../../ui/search-field.js';
import { type Column, Table } from '../../ui/table.js';
import { AdjustmentDialog, NewAdjustment } from './adjustment-dialogs.js';
import { InvoicesNav } from './nav.js';

export type Adjustment = components['schemas']['Adjustment'];

const states = ['waiting', 'open', 'invoiced', 'withdrawn'] as const;
const usd = (): string => 'USD';

const columns: readonly Column<Adjustment>[] = [
  column.state('State', ({ state }) => state, '8rem'),
  column.text('Kind', ({ kind }) => (kind === 'credit' ? 'less to pay' : 'more to pay'), '8rem'),
  column.money('Amount', ({ amount }) => amount, usd),
  column.money('Invoiced of it', ({ invoiced }) => invoiced, usd),
  column.id('Account', ({ account }) => account, '12rem'),
  column.text('Month', ({ month }) => month ?? 'the next invoice', '9rem'),
  column.text('On the invoice', ({ description }) => description, 'minmax(12rem, 2fr)'),
  column.text('Why', ({ why }) => why, 'minmax(10rem, 2fr)'),
  column.moment('Made', ({ madeAt }) => madeAt),
];

/** What was agreed beside usage and plan: lines on a coming invoice. */
export default function Adjustments() {
  const mayMoney = useMay('money');
  const [filters, setFilters] = useAddress({ state: '', account: '' });
  const [open, setOpen] = useState<Adjustment | 'new'>();
  const state = states.find((known) => known === filters.state);
  const list = useEndless(['adjustments', filters], async (cursor) => {
    const query = { ...filled({ account: filters.account, limit: '200', cursor }), ...(state ? { state } : {}) };
    return ok(billing.GET('/adjustments', { params: { query } }));
  });
  const close = (): void => setOpen(undefined);
  return (
    <Page title="Adjustments" above={{ href: '/invoices', title: 'Invoices' }}>
      <InvoicesNav />
      <div className="filters" role="search">
        <Select
          label="State"
          value={filters.state}
          onChange={(id) => setFilters({ state: id })}
          choices={[{ id: '', label: 'All' }, ...states.map((id) => ({ id, label: id }))]}
        />
        <SearchField label="Id of an account" value={filters.account} onChange={(account) => setFilters({ account })} />
      </div>
      <Table
        name="adjustments"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={(adjustment) => setOpen(adjustment)}
        empty="Nothing was adjusted."
        actions={
          mayMoney ? (
            <Button look="primary" onPress={() => setOpen('new')}>
              New adjustment
            </Button>
          ) : undefined
        }
      />
      {open === 'new' ? <NewAdjustment onClose={close} /> : null}
      {open === undefined || open === 'new' ? null : <AdjustmentDialog adjustment={open} onClose={close} />}
    </Page>
  );
}
