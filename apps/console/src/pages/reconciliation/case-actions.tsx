import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok } from '../../api/client.js';
import { useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import type { Break } from './queue.js';
import { ResolveDialog } from './resolve.js';

interface CaseProps {
  readonly found: Break;
  /** Of what is on the page: what somebody else has changed since is not overwritten. */
  readonly etag: string;
}

type Open = 'resolve' | 'assign' | 'approve' | 'reject' | 'reopen';

/** What can be done to a break, by who may do it. */
export function CaseActions({ found, etag }: CaseProps) {
  const queries = useQueryClient();
  const mayWrite = useMay('write');
  const mayPost = useMay('money');
  const [open, setOpen] = useState<Open>();
  const close = (): void => setOpen(undefined);
  const asked = { params: { path: { id: found.id } }, headers: { 'if-match': etag } };
  const change = async (work: () => Promise<unknown>): Promise<void> => {
    await work();
    await queries.invalidateQueries();
  };
  return (
    <>
      {mayWrite ? <Button onPress={() => setOpen('assign')}>Assign</Button> : null}
      {mayPost && found.status === 'open' && found.proposal === null ? (
        <Button look="primary" onPress={() => setOpen('resolve')}>
          Resolve
        </Button>
      ) : null}
      {mayPost && found.proposal !== null ? (
        <>
          <Button onPress={() => setOpen('reject')}>Reject</Button>
          <Button look="primary" onPress={() => setOpen('approve')}>
            Approve
          </Button>
        </>
      ) : null}
      {mayPost && found.status === 'resolved' ? <Button onPress={() => setOpen('reopen')}>Open again</Button> : null}
      <AssignDialog
        found={found}
        isOpen={open === 'assign'}
        onClose={close}
        change={async (body) => change(async () => ok(billing.PATCH('/breaks/{id}', { ...asked, body })))}
      />
      <ResolveDialog
        found={found}
        isOpen={open === 'resolve'}
        onClose={close}
        change={async (body) => change(async () => ok(billing.PATCH('/breaks/{id}', { ...asked, body })))}
      />
      <FormDialog
        title="Approve the resolution"
        action="Approve and post"
        isOpen={open === 'approve'}
        onClose={close}
        onSubmit={async () => change(async () => ok(billing.POST('/breaks/{id}/approve', asked)))}
      >
        <p>Its journal is posted at once. Who proposed it cannot approve it.</p>
      </FormDialog>
      <FormDialog
        title="Reject the resolution"
        action="Reject"
        look="danger"
        isOpen={open === 'reject'}
        onClose={close}
        onSubmit={async () => change(async () => ok(billing.POST('/breaks/{id}/reject', asked)))}
      >
        <p>Nothing was posted; the break stays open.</p>
      </FormDialog>
      <FormDialog
        title="Open the break again"
        action="Open again"
        isOpen={open === 'reopen'}
        onClose={close}
        onSubmit={async () =>
          change(async () => ok(billing.PATCH('/breaks/{id}', { ...asked, body: { resolution: null } })))
        }
      >
        <p>What its resolution posted is reversed.</p>
      </FormDialog>
    </>
  );
}

const orNull = (text: string): string | null => (text === '' ? null : text);

interface AssignProps {
  readonly found: Break;
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly change: (body: { owner: string | null; dueOn: string | null; note: string | null }) => Promise<void>;
}

function AssignDialog({ found, isOpen, onClose, change }: AssignProps) {
  const [owner, setOwner] = useState(found.owner ?? '');
  const [dueOn, setDueOn] = useState(found.dueOn ?? '');
  const [note, setNote] = useState(found.note ?? '');
  return (
    <FormDialog
      title="Who works on it"
      action="Save"
      isOpen={isOpen}
      onClose={onClose}
      onSubmit={async () => change({ owner: orNull(owner), dueOn: orNull(dueOn), note: orNull(note) })}
    >
      <Field label="Owner" value={owner} onChange={setOwner} autoFocus />
      <Field label="Due on" type="date" value={dueOn} onChange={setDueOn} />
      <Field label="Note" value={note} onChange={setNote} isMultiline />
    </FormDialog>
  );
}
