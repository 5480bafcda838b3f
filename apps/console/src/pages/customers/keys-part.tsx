import type { components } from '@keyfare/api-types/gate';
import { useState } from 'react';
import { gate, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Section } from '../../ui/page.js';
import { SecretDialog } from '../../ui/secret.js';
import { type Column, Table } from '../../ui/table.js';
import { Age, Badge, Id, Moment } from '../../ui/values.js';
import type { Account } from './customers.js';
import { NewKey, RevokeKey, RotateKey } from './key-dialogs.js';

export type Key = components['schemas']['Key'];

type Wanted = { readonly what: 'new' } | { readonly what: 'rotate' | 'revoke'; readonly key: Key };

const stateOf = ({ revokedAt, expiresAt, secrets }: Key): string => {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) return 'expired';
  return secrets.some(({ state }) => state === 'pending') ? 'rotating' : 'active';
};

/** The keys of an account. Their secrets are shown when they are made, and never again. */
export function KeysPart({ account }: { readonly account: Account }) {
  const { id } = account;
  const mayWrite = useMay('write') && account.status !== 'closed';
  const [wanted, setWanted] = useState<Wanted>();
  const [secret, setSecret] = useState<string>();
  const list = useEndless(['keys', id], async (cursor) =>
    ok(
      gate.GET('/admin/accounts/{id}/keys', {
        params: { path: { id }, query: { limit: '100', ...(cursor === undefined ? {} : { cursor }) } },
      }),
    ),
  );
  const done = (): void => setWanted(undefined);
  return (
    <Section
      title="Keys"
      actions={
        mayWrite ? (
          <Button look="primary" onPress={() => setWanted({ what: 'new' })}>
            Create a key
          </Button>
        ) : undefined
      }
    >
      <Table
        name="keys"
        columns={mayWrite ? columns.toSpliced(3, 0, actionsColumn(setWanted)) : columns}
        list={list}
        keyOf={(key) => key.id}
        empty="No key has been made for this account."
      />
      {wanted?.what === 'new' ? <NewKey account={id} onSecret={setSecret} onClose={done} /> : null}
      {wanted?.what === 'rotate' ? <RotateKey shown={wanted.key} onSecret={setSecret} onClose={done} /> : null}
      {wanted?.what === 'revoke' ? <RevokeKey shown={wanted.key} onClose={done} /> : null}
      <SecretDialog title="The key, once" secret={secret} onClose={() => setSecret(undefined)}>
        <p>
          Nobody can read it again, here or in the database: keep it now, or rotate the key. Callers send it as{' '}
          <code>Authorization: Bearer …</code>.
        </p>
      </SecretDialog>
    </Section>
  );
}

const columns: readonly Column<Key>[] = [
  { title: 'Name', text: ({ name }) => name, width: 'minmax(9rem, 1.5fr)' },
  { title: 'State', text: stateOf, cell: (key) => <Badge state={stateOf(key)} />, width: '7rem' },
  {
    title: 'Secret',
    text: ({ secrets }) =>
      secrets
        .filter(({ state }) => state !== 'expired')
        .map(({ lastFour, state }) => `…${lastFour} ${state}`)
        .join(', '),
    width: 'minmax(11rem, 1.2fr)',
  },
  {
    title: 'May buy',
    text: ({ scopes }) => (scopes.length === 0 ? 'everything' : scopes.join(' ')),
    width: 'minmax(9rem, 1.2fr)',
  },
  { title: 'For', text: ({ environment }) => environment, width: '5rem' },
  {
    title: 'Last used',
    text: ({ lastUsedAt }) => lastUsedAt ?? '',
    cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : <Age at={lastUsedAt} />),
    width: '9rem',
  },
  {
    title: 'Made',
    text: ({ createdAt }) => createdAt,
    cell: ({ createdAt }) => <Moment at={createdAt} />,
    width: '13rem',
  },
  {
    title: 'Ends',
    text: ({ expiresAt }) => expiresAt ?? '',
    cell: ({ expiresAt }) => <Moment at={expiresAt} />,
    width: '13rem',
  },
  { title: 'Id', text: (key) => key.id, cell: (key) => <Id value={key.id} />, width: '9rem' },
];

const actionsColumn = (want: (wanted: Wanted) => void): Column<Key> => ({
  title: 'Actions',
  text: () => '',
  cell: (key) =>
    key.revokedAt === null ? (
      <>
        <Button look="quiet" aria-label={`Rotate ${key.name}`} onPress={() => want({ what: 'rotate', key })}>
          Rotate
        </Button>
        <Button look="quiet" aria-label={`Revoke ${key.name}`} onPress={() => want({ what: 'revoke', key })}>
          Revoke
        </Button>
      </>
    ) : null,
  width: '13rem',
});
