import type { components } from '@keyfare/api-types/billing';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled, useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Dialog, FormDialog } from '../../ui/dialog.js';
import { Page } from '../../ui/page.js';
import { SearchField } from '../../ui/search-field.js';
import { Fault, Loading } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { InvoicesNav } from './nav.js';

type Letter = components['schemas']['Reminder'];
type Due = components['schemas']['ReminderRunAnswer'];

const columns: readonly Column<Letter>[] = [
  column.moment('Written', ({ madeAt }) => madeAt),
  column.text('Customer', ({ customerName }) => customerName, 'minmax(12rem, 2fr)'),
  column.count('Level', ({ level }) => `${level}`, '5rem'),
  column.text('Invoices', ({ invoices }) => invoices.map(({ number }) => number).join(', '), 'minmax(10rem, 2fr)'),
  column.money(
    'Open of them',
    ({ total }) => total,
    () => 'USD',
  ),
  column.text('Subject', ({ subject }) => subject, 'minmax(12rem, 2fr)'),
];

/** Letters to customers whose invoices are overdue. They are written and kept here; somebody sends them. */
export default function Reminders() {
  const mayMoney = useMay('money');
  const [filters, setFilters] = useAddress({ customer: '' });
  const [open, setOpen] = useState<Letter>();
  const [isRunning, setRunning] = useState(false);
  const list = useEndless(['reminders', filters], async (cursor) =>
    ok(billing.GET('/reminders', { params: { query: filled({ ...filters, limit: '200', cursor }) } })),
  );
  return (
    <Page
      title="Reminders"
      above={{ href: '/invoices', title: 'Invoices' }}
      actions={
        mayMoney ? (
          <Button look="primary" onPress={() => setRunning(true)}>
            Which are due?
          </Button>
        ) : undefined
      }
    >
      <InvoicesNav />
      <p className="muted">No mail is sent from here: a letter is taken as a text or a PDF.</p>
      <div className="filters" role="search">
        <SearchField
          label="Id of a customer"
          value={filters.customer}
          onChange={(customer) => setFilters({ customer })}
        />
      </div>
      <Table
        name="reminders"
        columns={columns}
        list={list}
        keyOf={({ id }) => id ?? ''}
        onOpen={(letter) => setOpen(letter)}
        empty="No letter was written yet."
      />
      {open === undefined ? null : <LetterDialog letter={open} onClose={() => setOpen(undefined)} />}
      {isRunning ? <RunDialog onClose={() => setRunning(false)} /> : null}
    </Page>
  );
}

const LetterDialog = ({ letter, onClose }: { readonly letter: Letter; readonly onClose: () => void }) => (
  <Dialog title={letter.subject} isOpen isWide onClose={onClose}>
    <pre lang={letter.language}>{letter.body}</pre>
    <div className="actions">
      {letter.id === null ? null : (
        <>
          <a className="button" href={`/reminders/${letter.id}/text`} download>
            Save the text
          </a>
          <a className="button" href={`/reminders/${letter.id}/pdf`} download>
            Save the PDF
          </a>
        </>
      )}
      <Button look="primary" onPress={onClose} autoFocus>
        Close
      </Button>
    </div>
  </Dialog>
);

const run = async (preview: boolean): Promise<Due> =>
  ok(billing.POST('/reminders/run', { body: { preview, limit: 100 } }));

/** What is due is read when the dialog opens, and only what was seen is written. */
function RunDialog({ onClose }: { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const [due, setDue] = useState<Due>();
  const [error, setError] = useState<unknown>();
  const [isAsked, setAsked] = useState(false);
  const [open, setOpen] = useState<Letter>();
  if (!isAsked) {
    setAsked(true);
    run(true).then(setDue, setError);
  }
  return (
    <FormDialog
      title="Letters that are due"
      action={due === undefined ? 'Write them' : `Write ${due.items.length}`}
      isOpen
      isWide
      isReady={due !== undefined && due.items.length > 0}
      onClose={onClose}
      onSubmit={async () => {
        await run(false);
        await queries.invalidateQueries({ queryKey: ['reminders'] });
      }}
    >
      {error === undefined ? null : <Fault error={error} />}
      {due === undefined && error === undefined ? <Loading what="Looking" /> : null}
      {due === undefined ? null : (
        <>
          <Table
            name="letters that are due"
            columns={columns.filter(({ title }) => title !== 'Written')}
            list={wholeList(due.items)}
            keyOf={({ customer, seller }) => `${customer} ${seller}`}
            onOpen={(letter) => setOpen(letter)}
            empty="No invoice is overdue long enough."
          />
          {due.remaining === 0 ? null : <p>{due.remaining} more are due: write these first, then look again.</p>}
        </>
      )}
      {open === undefined ? null : <pre lang={open.language}>{`${open.subject}\n\n${open.body}`}</pre>}
    </FormDialog>
  );
}
