import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { billing, ok } from '../../api/client.js';
import { useMay } from '../../api/hooks.js';
import { Button } from '../../ui/button.js';
import { Dialog, FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { Facts } from '../../ui/page.js';
import { Fault } from '../../ui/states.js';
import { Badge, Id, Moment, Money } from '../../ui/values.js';
import { AccountField } from './account-field.js';
import type { Adjustment } from './adjustments.js';

interface NewAdjustmentProps {
  readonly account?: string;
  readonly onClose: () => void;
}

/** Takes off, or puts on, a coming invoice of an account. */
export function NewAdjustment({ account: given = '', onClose }: NewAdjustmentProps) {
  const queries = useQueryClient();
  const [account, setAccount] = useState(given);
  const [kind, setKind] = useState<Adjustment['kind']>('credit');
  const [amount, setAmount] = useState('');
  const [description, setDescription] = useState('');
  const [why, setWhy] = useState('');
  const [month, setMonth] = useState('');
  return (
    <FormDialog
      title="New adjustment"
      action="Enter"
      isOpen
      isReady={[account, amount, description, why].every((text) => text.trim() !== '')}
      onClose={onClose}
      onSubmit={async () => {
        const body = { account, kind, amount, description, why, ...(month === '' ? {} : { month }) };
        await ok(billing.POST('/adjustments', { body }));
        await queries.invalidateQueries({ queryKey: ['adjustments'] });
      }}
    >
      <AccountField value={account} onChange={setAccount} />
      <Select
        label="The customer has"
        value={kind}
        onChange={(id) => setKind(id === 'debit' ? 'debit' : 'credit')}
        choices={[
          { id: 'credit', label: 'less to pay' },
          { id: 'debit', label: 'more to pay' },
        ]}
      />
      <Field label="Amount" value={amount} onChange={setAmount} isRequired hint="In USD, before tax, with a point." />
      <Field
        label="On the invoice"
        value={description}
        onChange={setDescription}
        isRequired
        hint="The customer reads it."
      />
      <Field label="Why" value={why} onChange={setWhy} isRequired hint="For the audit log; no customer sees it." />
      <Field
        label="Month (may be empty)"
        type="month"
        value={month}
        onChange={setMonth}
        hint="Empty: the next invoice of the account."
      />
    </FormDialog>
  );
}

interface AdjustmentDialogProps {
  readonly adjustment: Adjustment;
  readonly onClose: () => void;
}

/** One adjustment, with what its state allows. */
export function AdjustmentDialog({ adjustment, onClose }: AdjustmentDialogProps) {
  const queries = useQueryClient();
  const mayMoney = useMay('money');
  const [error, setError] = useState<unknown>();
  const path = { params: { path: { id: adjustment.id } } };
  const act = async (asked: () => Promise<unknown>): Promise<void> => {
    setError(undefined);
    try {
      await asked();
      await queries.invalidateQueries({ queryKey: ['adjustments'] });
      onClose();
    } catch (fault) {
      setError(fault);
    }
  };
  const { state } = adjustment;
  return (
    <Dialog title="Adjustment" isOpen onClose={onClose}>
      <AdjustmentFacts of={adjustment} />
      {state === 'waiting' ? (
        <p>It is over the limit for one person: another operator must approve it. Invoices go on without it.</p>
      ) : null}
      {error === undefined ? null : <Fault error={error} />}
      <div className="actions">
        {mayMoney && (state === 'waiting' || state === 'open') ? (
          <Button
            look="danger"
            onPress={() => void act(async () => ok(billing.POST('/adjustments/{id}/withdraw', path)))}
          >
            Take it back
          </Button>
        ) : null}
        {mayMoney && state === 'waiting' ? (
          <Button onPress={() => void act(async () => ok(billing.POST('/adjustments/{id}/approve', path)))}>
            Approve
          </Button>
        ) : null}
        <Button look="primary" onPress={onClose} autoFocus>
          Close
        </Button>
      </div>
    </Dialog>
  );
}

const AdjustmentFacts = ({ of }: { readonly of: Adjustment }) => (
  <Facts
    of={[
      ['State', <Badge key="state" state={of.state} />],
      ['Kind', of.kind === 'credit' ? 'less to pay' : 'more to pay'],
      ['Amount', <Money key="amount" amount={of.amount} asset="USD" />],
      ['Invoiced of it', <Money key="invoiced" amount={of.invoiced} asset="USD" />],
      ['Account', <Id key="account" value={of.account} length={24} />],
      ['Month', of.month ?? 'the next invoice'],
      ['On the invoice', <bdi key="description">{of.description}</bdi>],
      ['Why', <bdi key="why">{of.why}</bdi>],
      ['Made by', <bdi key="by">{of.madeBy}</bdi>],
      ['Made', <Moment key="made" at={of.madeAt} />],
      ['Approved', <Moment key="approved" at={of.approvedAt} />],
      ['Taken back', <Moment key="withdrawn" at={of.withdrawnAt} />],
      [
        'Invoices',
        <span key="invoices">
          {of.invoices.map((id) => (
            <Link key={id} href={`/invoices/${id}`}>
              {id.slice(0, 8)}…{' '}
            </Link>
          ))}
        </span>,
      ],
    ]}
  />
);
