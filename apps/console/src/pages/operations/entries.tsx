import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Dialog, FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Facts, Page } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Id, Moment } from '../../ui/values.js';
import { OperationsNav } from './nav.js';

type Entry = components['schemas']['RefusedEntry'];
type FaultName = NonNullable<Entry['fault']>;

/** What is wrong with an entry, and what may be done. */
const faults: Readonly<Record<FaultName, string>> = {
  'receipt-invalid': 'The signature is not by a key that is known, over this document.',
  'digest-mismatch': 'The document is not the one whose digest the log holds.',
  'receipt-missing': 'The log has the entry, and no document of it.',
  'usage-mismatch': 'What was used is not what the receipt says.',
  'terms-missing': 'The terms that it was served by are not known.',
  'call-mismatch': 'It says of the call something else than the entry before it.',
  'account-ended': 'It is of an account that had ended.',
};

const columns: readonly Column<Entry>[] = [
  column.text('Place', ({ place }) => place, '6rem'),
  column.state('Fault', ({ fault }) => fault, '11rem'),
  column.text('Kind', ({ kind }) => kind, '7rem'),
  column.text('Of', ({ principal }) => principal, 'minmax(10rem, 2fr)'),
  column.text('Detail', ({ detail }) => detail, 'minmax(14rem, 4fr)'),
  column.moment('Read', ({ readAt }) => readAt),
];

/** Entries of the log that are not in the books, and how one gets in after all. */
export default function Entries() {
  const [filters, setFilters] = useAddress({ fault: '' });
  const [open, setOpen] = useState<Entry>();
  const fault = (Object.keys(faults) as FaultName[]).find((name) => name === filters.fault);
  const list = useEndless(['entries', fault], async (cursor) =>
    ok(
      billing.GET('/entries', {
        params: { query: { ...filled({ limit: '200', cursor }), ...(fault === undefined ? {} : { fault }) } },
      }),
    ),
  );
  return (
    <Page title="Refused entries" above={{ href: '/operations', title: 'Operations' }}>
      <OperationsNav />
      <p className="muted">
        What is wrong with one of the log's entries keeps it out of the books, and out of invoices.
      </p>
      <div className="filters" role="search">
        <Select
          label="Fault"
          value={filters.fault}
          onChange={(id) => setFilters({ fault: id })}
          choices={[
            { id: '', label: 'All' },
            ...Object.keys(faults).map((id) => ({ id, label: id.replaceAll('-', ' ') })),
          ]}
        />
      </div>
      <Table
        name="refused entries"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={(entry) => setOpen(entry)}
        empty="No entry is refused: the books have all of the log."
      />
      {open === undefined ? null : <EntryDialog entry={open} onClose={() => setOpen(undefined)} />}
    </Page>
  );
}

function EntryDialog({ entry, onClose }: { readonly entry: Entry; readonly onClose: () => void }) {
  const queries = useQueryClient();
  const mayMoney = useMay('money');
  const [reason, setReason] = useState('');
  const facts = (
    <>
      <Facts
        of={[
          ['Entry', <Id key="id" value={entry.id} length={40} />],
          ['Place in the log', entry.place],
          ['Kind', entry.kind],
          ['Of', <Id key="principal" value={entry.principal} length={24} />],
          [
            'Fault',
            entry.fault === null ? (
              <Badge key="fault" state="is read again" />
            ) : (
              <Badge key="fault" state={entry.fault.replaceAll('-', ' ')} tone="bad" />
            ),
          ],
          ['Read', <Moment key="read" at={entry.readAt} />],
        ]}
      />
      <p>
        {entry.fault === null || faults[entry.fault] === entry.detail ? null : faults[entry.fault]}{' '}
        <bdi>{entry.detail}</bdi>
      </p>
      <p>
        <Link href={`/receipts?id=${entry.id}`}>Its receipt, and what the books have of it</Link>
      </p>
    </>
  );
  if (!mayMoney) {
    return (
      <Dialog title="Refused entry" isOpen onClose={onClose}>
        {facts}
        <div className="actions">
          <Button look="primary" onPress={onClose} autoFocus>
            Close
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <FormDialog
      title="Refused entry"
      action="Read it again"
      isOpen
      isReady={reason.trim() !== ''}
      onClose={onClose}
      onSubmit={async () => {
        await ok(billing.POST('/entries/{id}/readmit', { params: { path: { id: entry.id } }, body: { reason } }));
        await queries.invalidateQueries({ queryKey: ['entries'] });
      }}
    >
      {facts}
      <p>
        Mend first what was wrong. Then it is read once more, as everything else is: it comes into the books when
        nothing is wrong any more, and is refused again when something is.
      </p>
      <Field
        label="Why it may be read again"
        value={reason}
        onChange={setReason}
        isRequired
        hint="For the audit log."
      />
    </FormDialog>
  );
}
