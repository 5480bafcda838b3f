import type { components } from '@keyfare/api-types/gate';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { gate, ok } from '../../api/client.js';
import { useEndless, useMay, useSession } from '../../api/hooks.js';
import { tokenAmount } from '../../format/token.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Select } from '../../ui/fields.js';
import { Section } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Badge, Id, Moment } from '../../ui/values.js';
import { Owed } from './owed-refunds.js';

type Refund = components['schemas']['Refund'];

const states = ['proposed', 'rejected', 'credited', 'approved', 'settling', 'settled', 'final'] as const;

/** What payers are owed back, and what operators have decided of it. */
export const RefundsPart = () => (
  <>
    <Owed />
    <Proposals />
  </>
);

interface Decision {
  readonly what: 'approve' | 'reject';
  readonly refund: Refund;
}

const unfiltered = { refund: '' };

function Proposals() {
  const [filters, setFilters] = useAddress(unfiltered);
  const mayMoney = useMay('money');
  const [decision, setDecision] = useState<Decision>();
  const state = states.find((one) => one === filters.refund);
  const list = useEndless(
    ['refunds', 'proposed', state],
    async (cursor) =>
      ok(
        gate.GET('/admin/refunds', {
          params: {
            query: {
              limit: '100',
              ...(cursor === undefined ? {} : { cursor }),
              ...(state === undefined ? {} : { state }),
            },
          },
        }),
      ),
    { everyMs: 5_000 },
  );
  return (
    <Section title="Proposed and paid">
      <div className="filters">
        <Select
          label="State"
          value={state ?? 'all'}
          onChange={(id) => setFilters({ refund: id === 'all' ? '' : id })}
          choices={[{ id: 'all', label: 'All' }, ...states.map((id) => ({ id, label: id }))]}
        />
      </div>
      <Table
        name="refunds"
        columns={mayMoney ? refundColumns.toSpliced(1, 0, decisions(setDecision)) : refundColumns}
        list={list}
        keyOf={({ entry }) => entry}
        empty="Nobody has proposed a refund."
      />
      {decision === undefined ? null : <Decide {...decision} onClose={() => setDecision(undefined)} />}
    </Section>
  );
}

const refundColumns: readonly Column<Refund>[] = [
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '8rem' },
  {
    title: 'Amount',
    text: (refund) => tokenAmount(refund, refund.amount)?.amount ?? refund.amount,
    cell: ({ network, asset, amount }) => <TokenMoney network={network} asset={asset} amount={amount} />,
    isNumber: true,
    width: '9rem',
  },
  { title: 'To', text: ({ payer }) => payer, cell: ({ payer }) => <Id value={payer} />, width: '10rem' },
  { title: 'Proposed by', text: ({ proposedBy }) => proposedBy.name, width: 'minmax(9rem, 1fr)' },
  {
    title: 'Proposed',
    text: ({ proposedAt }) => proposedAt,
    cell: ({ proposedAt }) => <Moment at={proposedAt} />,
    width: '13rem',
  },
  { title: 'Decided by', text: ({ decidedBy }) => decidedBy?.name ?? '', width: 'minmax(9rem, 1fr)' },
  {
    title: 'Transaction',
    text: ({ transaction }) => transaction ?? '',
    cell: ({ transaction }) => <Id value={transaction} />,
    width: '10rem',
  },
  { title: 'Last failure', text: ({ failure }) => failure ?? '', width: 'minmax(10rem, 1fr)' },
];

const decisions = (decide: (decision: Decision) => void): Column<Refund> => ({
  title: 'Decision',
  text: () => '',
  cell: (refund) => <Decisions refund={refund} decide={decide} />,
  width: '14rem',
});

function Decisions({ refund, decide }: { readonly refund: Refund; readonly decide: (decision: Decision) => void }) {
  const { operator } = useSession();
  if (refund.state !== 'proposed') return null;
  const isOwn = refund.proposedBy.id === operator.id;
  return (
    <>
      {isOwn ? null : (
        <Button look="quiet" onPress={() => decide({ what: 'approve', refund })}>
          Approve
        </Button>
      )}
      <Button look="quiet" onPress={() => decide({ what: 'reject', refund })}>
        {isOwn ? 'Take back' : 'Reject'}
      </Button>
      {isOwn ? <span className="muted">needs another</span> : null}
    </>
  );
}

function Decide({ what, refund, onClose }: Decision & { readonly onClose: () => void }) {
  const queries = useQueryClient();
  const isApproval = what === 'approve';
  const money = <TokenMoney network={refund.network} asset={refund.asset} amount={refund.amount} />;
  return (
    <FormDialog
      title={isApproval ? 'Approve this refund?' : 'Reject this refund?'}
      action={isApproval ? 'Approve and send' : 'Reject'}
      look={isApproval ? 'primary' : 'danger'}
      isOpen
      onClose={onClose}
      onSubmit={async () => {
        const asked = { params: { path: { id: refund.entry } } };
        await ok(
          isApproval ? gate.POST('/admin/refunds/{id}/approve', asked) : gate.POST('/admin/refunds/{id}/reject', asked),
        );
        await queries.invalidateQueries({ queryKey: ['refunds'] });
      }}
    >
      {isApproval ? (
        <p>
          {money} is sent to <Id value={refund.payer} length={24} /> at once and cannot be called back.{' '}
          <bdi>{refund.proposedBy.name}</bdi> has proposed it.
        </p>
      ) : (
        <p>{money} stays owed. It can be proposed again.</p>
      )}
    </FormDialog>
  );
}
