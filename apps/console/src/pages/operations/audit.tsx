import type { components } from '@keyfare/api-types/billing';
import { useState } from 'react';
import { billing, gate, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Changes } from '../../ui/changes.js';
import { column } from '../../ui/columns.js';
import { Dialog } from '../../ui/dialog.js';
import { Select } from '../../ui/fields.js';
import { Facts, Page } from '../../ui/page.js';
import { SearchField } from '../../ui/search-field.js';
import { type Column, Table } from '../../ui/table.js';
import { Id, Moment } from '../../ui/values.js';
import { OperationsNav } from './nav.js';

type Line = components['schemas']['AuditEntry'];

const columns: readonly Column<Line>[] = [
  column.moment('When', ({ at }) => at),
  column.text('Who', ({ operator }) => operator.name, 'minmax(10rem, 2fr)'),
  column.text('Did', ({ action }) => action, '12rem'),
  column.id('To', ({ subject }) => subject, 'minmax(10rem, 2fr)'),
  column.id('Request', ({ requestId }) => requestId),
];

const unfiltered = { of: 'billing', operator: '', subject: '', action: '' };

/** Who changed what, of each program by itself: nothing changes or removes a line. */
export default function Audit() {
  const [filters, setFilters] = useAddress(unfiltered);
  const [open, setOpen] = useState<Line>();
  const { of, operator, subject, action } = filters;
  const list = useEndless<Line>(['audit', filters], async (cursor) => {
    const query = filled({ operator, subject, action, cursor, limit: '200' });
    return of === 'api'
      ? ok(gate.GET('/admin/audit', { params: { query } }))
      : ok(billing.GET('/audit', { params: { query } }));
  });
  return (
    <Page title="Audit log" above={{ href: '/operations', title: 'Operations' }}>
      <OperationsNav />
      <div className="filters" role="search">
        <Select
          label="Of"
          value={of}
          onChange={(program) => setFilters({ of: program })}
          choices={[
            { id: 'billing', label: 'Billing: books, invoices, cases' },
            { id: 'api', label: 'The API: accounts, keys, operators' },
          ]}
        />
        <SearchField label="Id of an operator" value={operator} onChange={(text) => setFilters({ operator: text })} />
        <SearchField
          label="Id of what was changed"
          value={subject}
          onChange={(text) => setFilters({ subject: text })}
        />
        <SearchField label="Action" value={action} onChange={(text) => setFilters({ action: text })} />
      </div>
      <Table
        name={`audit log of ${of === 'api' ? 'the API' : 'billing'}`}
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={(line) => setOpen(line)}
        empty="Nobody did anything like that."
      />
      {open === undefined ? null : (
        <Dialog title={open.action} isOpen isWide onClose={() => setOpen(undefined)}>
          <LineFacts line={open} />
          <h3>What changed</h3>
          <Changes before={open.before} after={open.after} />
          <div className="actions">
            <Button
              onPress={() => {
                setFilters({ subject: open.subject, operator: '', action: '' });
                setOpen(undefined);
              }}
            >
              All of this subject
            </Button>
            <Button look="primary" onPress={() => setOpen(undefined)} autoFocus>
              Close
            </Button>
          </div>
        </Dialog>
      )}
    </Page>
  );
}

const LineFacts = ({ line }: { readonly line: Line }) => (
  <Facts
    of={[
      ['When', <Moment key="at" at={line.at} />],
      ['Who', <bdi key="who">{line.operator.name}</bdi>],
      ['Operator', <Id key="operator" value={line.operator.id} length={24} />],
      ['Of', <Id key="subject" value={line.subject} length={40} />],
      ['Request', <Id key="request" value={line.requestId} length={40} />],
    ]}
  />
);
