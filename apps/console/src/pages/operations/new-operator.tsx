import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { gate, ok } from '../../api/client.js';
import { useSession } from '../../api/hooks.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { SecretDialog } from '../../ui/secret.js';

const roles = {
  viewer: { label: 'Viewer: reads everything', scopes: ['read'] },
  finance: { label: 'Finance: reads, invoices, resolves, closes months', scopes: ['read', 'money'] },
  operator: { label: 'Operator: reads, accounts, keys, operators', scopes: ['read', 'write'] },
  admin: { label: 'Admin: all of it', scopes: ['read', 'write', 'money'] },
} as const;
type Role = keyof typeof roles;

/** Makes an operator with a role. The token is shown once; a person gets a link in its place. */
export function NewOperator({ onClose }: { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const { operator } = useSession();
  // Nobody gives a scope that they do not have.
  const given = (Object.keys(roles) as Role[]).filter((role) =>
    roles[role].scopes.every((scope) => operator.scopes.includes(scope)),
  );
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [until, setUntil] = useState('');
  const [token, setToken] = useState<string>();
  const isMade = useRef(false);
  return (
    <>
      <FormDialog
        title="New operator"
        action="Make"
        isOpen={token === undefined}
        isReady={name.trim() !== ''}
        // After it went well the dialog of the token comes.
        onClose={() => (isMade.current ? undefined : onClose())}
        onSubmit={async () => {
          const expiresAt = until === '' ? {} : { expiresAt: `${until}T00:00:00.000Z` };
          const made = await ok(gate.POST('/admin/operators', { body: { name: name.trim(), role, ...expiresAt } }));
          isMade.current = true;
          setToken(made.token);
          await queries.invalidateQueries({ queryKey: ['operators'] });
        }}
      >
        <Field label="Name" value={name} onChange={setName} isRequired hint="People sign in with it." autoFocus />
        <Select
          label="Role"
          value={role}
          onChange={(id) => setRole(given.find((known) => known === id) ?? 'viewer')}
          choices={given.map((id) => ({ id, label: roles[id].label }))}
        />
        <Field
          label="Until (may be empty)"
          type="date"
          value={until}
          onChange={setUntil}
          hint="90 days without it, 366 at most."
        />
      </FormDialog>
      <SecretDialog title={`The token of ${name}`} secret={token} onClose={onClose}>
        <p>
          For a program. It is shown here and never again. A person signs in with a link: open the operator in the list
          and make one.
        </p>
      </SecretDialog>
    </>
  );
}
