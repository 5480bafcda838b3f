import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, ok, tagged } from '../../api/client.js';
import { useMay } from '../../api/hooks.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import type { Break } from './queue.js';
import { kindTexts } from './texts.js';

interface BulkProps {
  readonly breaks: readonly Break[];
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** The API takes so many at once. */
const most = 100;

/** The same change to many: all of them or none, each of the version that is on the page. */
export function BulkDialog({ breaks, isOpen, onClose, onDone }: BulkProps) {
  const queries = useQueryClient();
  const mayWrite = useMay('write');
  const mayPost = useMay('money');
  const [owner, setOwner] = useState('');
  const [dueOn, setDueOn] = useState('');
  const [kind, setKind] = useState('');
  const [resolution, setResolution] = useState('');
  const kinds = ['no-posting', 'write-off', 'gift', 'refund-due', 'other-wallet', 'duplicate'] as const;
  const possible = kinds.filter((name) => breaks.every(({ possibleKinds }) => possibleKinds.includes(name)));
  const change = {
    ...(owner === '' ? {} : { owner }),
    ...(dueOn === '' ? {} : { dueOn }),
    ...(kind === '' ? {} : { kind: kind as (typeof kinds)[number], resolution }),
  };
  const isReady = Object.keys(change).length > 0 && breaks.length <= most && (kind === '' || resolution !== '');
  return (
    <FormDialog
      title={`Change ${breaks.length} breaks`}
      action="Change all"
      isOpen={isOpen}
      isReady={isReady}
      onClose={onClose}
      onSubmit={async () => {
        const changes = await Promise.all(
          breaks.map(async ({ id }) => {
            const { etag } = await tagged(billing.GET('/breaks/{id}', { params: { path: { id } } }));
            return { id, ifMatch: etag, ...change };
          }),
        );
        await ok(billing.POST('/breaks/bulk', { body: { changes } }));
        await queries.invalidateQueries();
        onDone();
      }}
    >
      {breaks.length > most ? <p>At most {most} at once.</p> : null}
      {mayWrite ? (
        <>
          <Field label="Owner" value={owner} onChange={setOwner} hint="Empty: stays." />
          <Field label="Due on" type="date" value={dueOn} onChange={setDueOn} />
        </>
      ) : null}
      {mayPost ? (
        <>
          <Select
            label="Resolution"
            value={kind}
            onChange={setKind}
            choices={[
              { id: '', label: 'None: they stay open' },
              ...possible.map((id) => ({ id, label: kindTexts[id].title })),
            ]}
          />
          {kind === '' ? null : (
            <Field label="Why" value={resolution} onChange={setResolution} isMultiline isRequired />
          )}
        </>
      ) : null}
    </FormDialog>
  );
}
