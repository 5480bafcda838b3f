import type { components } from '@keyfare/api-types/gate';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { gate, ok } from '../../api/client.js';
import { useEndless, useMay, useSession } from '../../api/hooks.js';
import { filled } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Dialog, FormDialog } from '../../ui/dialog.js';
import { Facts } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { Moment } from '../../ui/values.js';

type SignedIn = components['schemas']['OperatorSession'];

const columns: readonly Column<SignedIn>[] = [
  column.text('Who', ({ operator }) => operator.name, 'minmax(12rem, 2fr)'),
  column.text('By', ({ begunBy }) => begunBy, '7rem'),
  column.text('From', ({ address }) => address, '9rem'),
  column.moment('Signed in', ({ createdAt }) => createdAt),
  column.moment('Last seen', ({ seenAt }) => seenAt),
  column.moment('Ends', ({ expiresAt }) => expiresAt),
  column.text('Browser', ({ agent }) => agent, 'minmax(12rem, 3fr)'),
];

/** Sessions that go on. One's own ends here, others' for who may write. */
export function Sessions() {
  const queries = useQueryClient();
  const { operator } = useSession();
  const mayWrite = useMay('write');
  const [open, setOpen] = useState<SignedIn>();
  const list = useEndless(['sessions'], async (cursor) =>
    ok(gate.GET('/admin/sessions', { params: { query: filled({ limit: '200', cursor }) } })),
  );
  const close = (): void => setOpen(undefined);
  return (
    <>
      <Table name="sessions" columns={columns} list={list} keyOf={({ id }) => id} onOpen={(one) => setOpen(one)} />
      {open === undefined ? null : mayWrite || open.operator.id === operator.id ? (
        <FormDialog
          title="End this session?"
          action="End it"
          look="danger"
          isOpen
          onClose={close}
          onSubmit={async () => {
            await ok(gate.POST('/admin/sessions/{id}/end', { params: { path: { id: open.id } } }));
            await queries.invalidateQueries({ queryKey: ['sessions'] });
          }}
        >
          <SessionFacts of={open} />
          <p>They are out at once, and may sign in again.</p>
        </FormDialog>
      ) : (
        <Dialog title="Session" isOpen onClose={close}>
          <SessionFacts of={open} />
          <div className="actions">
            <Button look="primary" onPress={close} autoFocus>
              Close
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}

const SessionFacts = ({ of }: { readonly of: SignedIn }) => (
  <Facts
    of={[
      ['Who', <bdi key="who">{of.operator.name}</bdi>],
      ['Signed in by', of.begunBy],
      ['From', of.address],
      ['Browser', <bdi key="agent">{of.agent}</bdi>],
      ['Signed in', <Moment key="created" at={of.createdAt} />],
      ['Last seen', <Moment key="seen" at={of.seenAt} />],
      ['Ends when idle', <Moment key="idle" at={of.idleAt} />],
      ['Ends in any case', <Moment key="ends" at={of.expiresAt} />],
    ]}
  />
);
