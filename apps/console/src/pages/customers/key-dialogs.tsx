import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { gate, ok, tagged } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Moment } from '../../ui/values.js';
import type { Key } from './keys-part.js';

interface NewKeyProps {
  readonly account: string;
  readonly onSecret: (secret: string) => void;
  readonly onClose: () => void;
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

export function NewKey({ account, onSecret, onClose }: NewKeyProps) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState('');
  const [day, setDay] = useState('');
  return (
    <FormDialog
      title="Create a key"
      action="Create"
      isOpen
      isReady={name.trim() !== ''}
      onClose={onClose}
      onSubmit={async () => {
        const { secret } = await ok(
          gate.POST('/admin/accounts/{id}/keys', {
            params: { path: { id: account } },
            body: {
              name: name.trim(),
              scopes: words(scopes),
              ...(day === '' ? {} : { expiresAt: `${day}T00:00:00Z` }),
            },
          }),
        );
        await queries.invalidateQueries({ queryKey: ['keys', account] });
        onSecret(secret);
      }}
    >
      <Field
        label="Name"
        value={name}
        onChange={setName}
        maxLength={200}
        isRequired
        autoFocus
        hint="Where it is used: production, laptop …"
      />
      <Field
        label="May buy"
        value={scopes}
        onChange={setScopes}
        placeholder="everything"
        hint="Scopes of products, with spaces between, as the page of prices names them. Empty: everything."
      />
      <Field
        label="Ends"
        type="date"
        value={day}
        onChange={setDay}
        hint="At the first moment of this day, in UTC. Empty: it has no end."
      />
    </FormDialog>
  );
}

const graces = [
  { id: '0', label: 'None: the old secret ends at once' },
  { id: '3600', label: 'One hour' },
  { id: '86400', label: 'One day' },
  { id: '604800', label: 'Seven days' },
  { id: '2592000', label: 'Thirty days' },
] as const;

interface RotateProps {
  readonly shown: Key;
  readonly onSecret: (secret: string) => void;
  readonly onClose: () => void;
}

export function RotateKey({ shown, onSecret, onClose }: RotateProps) {
  const queries = useQueryClient();
  const [grace, setGrace] = useState('86400');
  const isPending = shown.secrets.some(({ state }) => state === 'pending');
  return (
    <FormDialog
      title={`Rotate ${shown.name}`}
      action="Rotate"
      isOpen
      onClose={onClose}
      onSubmit={async () => {
        const path = { id: shown.id };
        // Who has seen that a secret waits for its first use may replace it; the version that was seen is named.
        const headers = isPending
          ? { 'if-match': (await tagged(gate.GET('/admin/keys/{id}', { params: { path } }))).etag }
          : {};
        const { secret } = await ok(
          gate.POST('/admin/keys/{id}/rotate', { params: { path }, headers, body: { graceSeconds: Number(grace) } }),
        );
        await queries.invalidateQueries({ queryKey: ['keys', shown.account] });
        onSecret(secret);
      }}
    >
      <p>The key keeps its id, its scopes and its meter. A new secret is made; the old one lives on for a while.</p>
      <Select
        label="How long the old secret lives after the first use of the new one"
        value={grace}
        onChange={setGrace}
        choices={graces}
      />
      {isPending ? (
        <p className="note" role="note">
          A secret that was made before waits for its first use. It is replaced: it will never work.
        </p>
      ) : null}
    </FormDialog>
  );
}

export function RevokeKey({ shown, onClose }: { readonly shown: Key; readonly onClose: () => void }) {
  const queries = useQueryClient();
  return (
    <FormDialog
      title={`Revoke ${shown.name}?`}
      action="Revoke for good"
      look="danger"
      isOpen
      onClose={onClose}
      onSubmit={async () => {
        await ok(gate.POST('/admin/keys/{id}/revoke', { params: { path: { id: shown.id } } }));
        await queries.invalidateQueries({ queryKey: ['keys', shown.account] });
      }}
    >
      <p>
        Every call with it is refused from now on, with all of its secrets. It cannot be undone. It was made{' '}
        <Moment at={shown.createdAt} />.
      </p>
    </FormDialog>
  );
}
