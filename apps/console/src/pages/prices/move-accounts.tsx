import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Plan, planName } from '../../api/catalogue.js';
import { gate, ok, tagged } from '../../api/client.js';
import { FormDialog } from '../../ui/dialog.js';
import { Select } from '../../ui/fields.js';
import type { Account } from './effect.js';
import { Effects } from './effects.js';

interface MoveProps {
  readonly accounts: readonly Account[];
  readonly versions: readonly Plan[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Puts accounts on a version of their plan, one after the other. */
export function MoveAccounts({ accounts, versions, onClose, onDone }: MoveProps) {
  const queries = useQueryClient();
  const [id, setId] = useState(versions[0]?.id ?? '');
  const [done, setDone] = useState(0);
  const plan = versions.find((one) => one.id === id);
  const moving = accounts.filter((account) => account.plan.id !== id);
  const move = async (target: Plan): Promise<void> => {
    try {
      for (const [index, account] of moving.entries()) {
        await moveOne(account, target);
        setDone(index + 1);
      }
      onDone();
    } finally {
      setDone(0);
      await queries.invalidateQueries({ queryKey: ['accounts'] });
    }
  };
  return (
    <FormDialog
      title={`Move ${accounts.length} ${accounts.length === 1 ? 'account' : 'accounts'}`}
      action={`Move ${moving.length} from now on`}
      isOpen
      isWide
      isReady={plan !== undefined && moving.length > 0}
      onClose={onClose}
      onSubmit={async () => (plan === undefined ? undefined : move(plan))}
    >
      <Select
        label="To version"
        value={id}
        onChange={setId}
        choices={versions.map((one) => ({ id: one.id, label: planName(one) }))}
      />
      <p className="note">
        It holds at once, also for the units of the month that runs. Who was put on another plan by somebody else
        meanwhile is left there. If it ends half way, those that were moved stay moved.
      </p>
      {done === 0 ? null : (
        <label>
          {done} of {moving.length} are moved <progress max={moving.length} value={done} />
        </label>
      )}
      {plan === undefined ? null : <Effects accounts={moving} terms={plan} />}
    </FormDialog>
  );
}

/** Leaves an account whose plan is no longer the one that was looked at. */
async function moveOne({ id, plan }: Account, { slug, version }: Plan): Promise<void> {
  const path = { id };
  const { data, etag } = await tagged(gate.GET('/admin/accounts/{id}', { params: { path } }));
  if (data.plan.id !== plan.id) return;
  await ok(
    gate.PATCH('/admin/accounts/{id}', {
      params: { path },
      headers: { 'if-match': etag },
      body: { plan: { slug, version } },
    }),
  );
}
