import type { components } from '@keyfare/api-types/gate';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Plan, planName, usePlans } from '../../api/catalogue.js';
import { gate, ok } from '../../api/client.js';
import { monthOf } from '../../format/time.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Shown } from '../../ui/states.js';
import type { Account } from './customers.js';
import { PlanPreview } from './plan-preview.js';

export type Change = 'plan' | 'name' | 'end' | 'status' | 'close';

interface ChangeProps {
  readonly account: Account;
  readonly etag: string;
  readonly onClose: () => void;
}

/** One change of an account, and what it will do. */
export function ChangeAccount({ change, ...props }: ChangeProps & { readonly change: Change }) {
  const Form = forms[change];
  return <Form {...props} />;
}

/** Sends a change of the version that was looked at. */
function useSend({ account: { id }, etag }: Pick<ChangeProps, 'account' | 'etag'>) {
  const queries = useQueryClient();
  const path = { id };
  const again = async (): Promise<void> => {
    await queries.invalidateQueries({ queryKey: ['account', id] });
    await queries.invalidateQueries({ queryKey: ['accounts'] });
    await queries.invalidateQueries({ queryKey: ['audit'] });
  };
  return {
    patch: async (body: components['schemas']['AccountChange']): Promise<void> => {
      await ok(gate.PATCH('/admin/accounts/{id}', { params: { path }, headers: { 'if-match': etag }, body }));
      await again();
    },
    close: async (): Promise<void> => {
      await ok(gate.POST('/admin/accounts/{id}/close', { params: { path } }));
      await queries.invalidateQueries({ queryKey: ['keys', id] });
      await again();
    },
  };
}

function ChangePlan({ account, etag, onClose }: ChangeProps) {
  const { patch } = useSend({ account, etag });
  const plans = usePlans();
  const [id, setId] = useState('');
  const plan = plans.data?.find((one) => one.id === id);
  return (
    <FormDialog
      title="Change plan"
      action="Change from now on"
      isOpen
      isWide
      isReady={plan !== undefined}
      onClose={onClose}
      onSubmit={async () => {
        const { slug, version } = plan as Plan;
        await patch({ plan: { slug, version } });
      }}
    >
      <Shown of={plans} what="Reading the plans">
        {(all) => (
          <Select
            label="New plan"
            value={id}
            onChange={setId}
            choices={all
              .filter((one) => one.id !== account.plan.id)
              .map((one) => ({ id: one.id, label: planName(one) }))}
          />
        )}
      </Shown>
      {plan === undefined ? null : <PlanPreview account={account} plan={plan} />}
    </FormDialog>
  );
}

function Rename({ account, etag, onClose }: ChangeProps) {
  const { patch } = useSend({ account, etag });
  const [name, setName] = useState(account.name);
  return (
    <FormDialog
      title="Rename"
      action="Rename"
      isOpen
      isReady={name.trim() !== '' && name.trim() !== account.name}
      onClose={onClose}
      onSubmit={async () => patch({ name: name.trim() })}
    >
      <Field label="Name" value={name} onChange={setName} maxLength={200} isRequired autoFocus />
      <p className="note">
        A signed entry of the log names it from now on. Invoices that are final keep the name that they have.
      </p>
    </FormDialog>
  );
}

function SetEnd({ account, etag, onClose }: ChangeProps) {
  const { patch } = useSend({ account, etag });
  const [day, setDay] = useState(account.endsAt?.slice(0, 10) ?? '');
  const isTaken = day === '';
  return (
    <FormDialog
      title="Set an end"
      action={isTaken ? 'Take the end away' : 'Set'}
      isOpen
      isReady={!isTaken || account.endsAt !== null}
      onClose={onClose}
      onSubmit={async () => patch({ endsAt: isTaken ? null : `${day}T00:00:00Z` })}
    >
      <Field
        label="Nothing is sold from this day on"
        type="date"
        value={day}
        onChange={setDay}
        hint="From its first moment, in UTC. Empty: without an end."
      />
      <p className="note">The plan is paid for up to the end. A call at or after it is refused.</p>
    </FormDialog>
  );
}

function SetStatus({ account, etag, onClose }: ChangeProps) {
  const { patch } = useSend({ account, etag });
  const isSuspending = account.status === 'active';
  return (
    <FormDialog
      title={isSuspending ? 'Suspend this account?' : 'Make this account active again?'}
      action={isSuspending ? 'Suspend' : 'Make active'}
      look={isSuspending ? 'danger' : 'primary'}
      isOpen
      onClose={onClose}
      onSubmit={async () => patch({ status: isSuspending ? 'suspended' : 'active' })}
    >
      <p>
        {isSuspending
          ? 'Every call with one of its keys is refused from now on. It goes on paying its plan, and its keys stay. It can be made active again.'
          : 'Calls with its keys are served again from now on.'}
      </p>
    </FormDialog>
  );
}

function Close({ account, etag, onClose }: ChangeProps) {
  const { close } = useSend({ account, etag });
  const [typed, setTyped] = useState('');
  return (
    <FormDialog
      title="Close this account for good?"
      action="Close for good"
      look="danger"
      isOpen
      isReady={typed.trim() === account.id}
      onClose={onClose}
      onSubmit={close}
    >
      <ul>
        <li>No call is served from now on, and none of its keys lives again.</li>
        <li>Its plan ends now; its last invoice is that of {monthOf(new Date())}.</li>
        <li>It cannot be undone: a customer who comes back gets a new account.</li>
      </ul>
      <Field label="Its id, to be sure" value={typed} onChange={setTyped} hint={account.id} autoComplete="off" />
    </FormDialog>
  );
}

const forms = { plan: ChangePlan, name: Rename, end: SetEnd, status: SetStatus, close: Close } as const;
