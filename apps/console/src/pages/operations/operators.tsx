import type { components } from '@keyfare/api-types/gate';
import { useState } from 'react';
import { gate, ok } from '../../api/client.js';
import { useEndless, useMay } from '../../api/hooks.js';
import { filled } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { column } from '../../ui/columns.js';
import { Page, Section } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { OperationsNav } from './nav.js';
import { NewOperator } from './new-operator.js';
import { OperatorDialog } from './operator-dialog.js';
import { Sessions } from './sessions.js';

export type Operator = components['schemas']['Operator'];

const stateOf = ({ revokedAt, expiresAt }: Operator): string => {
  if (revokedAt !== null) return 'revoked';
  return Date.parse(expiresAt) < Date.now() ? 'expired' : 'active';
};

const columns: readonly Column<Operator>[] = [
  column.text('Name', ({ name }) => name, 'minmax(12rem, 3fr)'),
  column.state('State', stateOf, '8rem'),
  column.text('Role', ({ role }) => role ?? '', '7rem'),
  column.text('May', ({ scopes }) => scopes.join(', '), '11rem'),
  column.text('Token ends in', ({ lastFour }) => lastFour, '8rem'),
  column.day('Made', ({ createdAt }) => createdAt),
  column.day('Runs out', ({ expiresAt }) => expiresAt),
];

/** Who runs the service, people and programs, and who of them has signed in. */
export default function Operators() {
  const mayWrite = useMay('write');
  const [open, setOpen] = useState<Operator | 'new'>();
  const list = useEndless(['operators'], async (cursor) =>
    ok(gate.GET('/admin/operators', { params: { query: filled({ limit: '200', cursor }) } })),
  );
  return (
    <Page title="Operators" above={{ href: '/operations', title: 'Operations' }}>
      <OperationsNav />
      <Table
        name="operators"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={(operator) => setOpen(operator)}
        actions={
          mayWrite ? (
            <Button look="primary" onPress={() => setOpen('new')}>
              New operator
            </Button>
          ) : undefined
        }
      />
      <Section title="Sessions">
        <Sessions />
      </Section>
      {open === 'new' ? <NewOperator onClose={() => setOpen(undefined)} /> : null}
      {open === undefined || open === 'new' ? null : (
        <OperatorDialog operator={open} onClose={() => setOpen(undefined)} />
      )}
    </Page>
  );
}
