import { useState } from 'react';
import { useLocation } from 'wouter';
import { type Plan, planName } from '../../api/catalogue.js';
import { useMay } from '../../api/hooks.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Select } from '../../ui/fields.js';
import { Section } from '../../ui/page.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Day, Id } from '../../ui/values.js';
import type { Account } from './effect.js';
import { MoveAccounts } from './move-accounts.js';

interface PlanAccountsProps {
  /** The newest first. */
  readonly versions: readonly Plan[];
  readonly accounts: readonly Account[];
}

const unfiltered = { version: '' };

/** Who is on a plan and on which version; some can be moved together. */
export function PlanAccounts({ versions, accounts }: PlanAccountsProps) {
  const [, navigate] = useLocation();
  const [filters, setFilters] = useAddress(unfiltered);
  const mayWrite = useMay('write');
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isMoving, setMoving] = useState(false);
  const version = filters.version;
  const shown = accounts.filter(({ plan }) => version === '' || String(plan.version) === version);
  const moved = shown.filter(({ id, status }) => chosen.has(id) && status !== 'closed');
  return (
    <Section title="Who is on it">
      <div className="filters">
        <Select
          label="Version"
          value={version === '' ? 'all' : version}
          onChange={(id) => {
            setChosen(new Set());
            setFilters({ version: id === 'all' ? '' : id });
          }}
          choices={[
            { id: 'all', label: 'All' },
            ...versions.map((plan) => ({ id: String(plan.version), label: planName(plan) })),
          ]}
        />
      </div>
      <Table
        name="accounts on the plan"
        columns={columns}
        list={wholeList(shown)}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/customers/${id}`)}
        {...(mayWrite ? { selection: { keys: chosen, change: setChosen } } : {})}
        empty="No account is on it."
        actions={
          mayWrite ? (
            <Button isDisabled={moved.length === 0} onPress={() => setMoving(true)}>
              Move to another version
            </Button>
          ) : undefined
        }
      />
      {isMoving ? (
        <MoveAccounts
          accounts={moved}
          versions={versions}
          onClose={() => setMoving(false)}
          onDone={() => setChosen(new Set())}
        />
      ) : null}
    </Section>
  );
}

const columns: readonly Column<Account>[] = [
  { title: 'Account', text: ({ name }) => name, width: 'minmax(12rem, 2fr)' },
  { title: 'On', text: ({ plan }) => planName(plan) },
  { title: 'Status', text: ({ status }) => status, cell: ({ status }) => <Badge state={status} />, width: '7rem' },
  {
    title: 'Opened',
    text: ({ createdAt }) => createdAt,
    cell: ({ createdAt }) => <Day of={createdAt} />,
    width: '8rem',
  },
  { title: 'Id', text: ({ id }) => id, cell: ({ id }) => <Id value={id} length={22} />, width: '13rem' },
];
