import type { components } from '@keyfare/api-types/gate';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { billing, gate, ok } from '../../api/client.js';
import { useEndless, useMay, useSession } from '../../api/hooks.js';
import { sumMoney } from '../../format/money.js';
import { monthOf } from '../../format/time.js';
import { tokenAmount } from '../../format/token.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field, Select } from '../../ui/fields.js';
import { useFilters } from '../../ui/filters.js';
import { Exports, Section } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Badge, Id, Moment, Money } from '../../ui/values.js';

type Refund = components['schemas']['Refund'];

const states = ['proposed', 'rejected', 'approved', 'settling', 'settled', 'final'] as const;

/** What payers are owed back, and what operators have decided of it. */
export const RefundsPart = () => (
  <>
    <Owed />
    <Proposals />
  </>
);

const readOwed = async (month: string, cursor: string | undefined) =>
  ok(
    billing.GET('/reports/refunds', {
      params: { query: { month, limit: '100', ...(cursor === undefined ? {} : { cursor }) } },
    }),
  );

type Due = Awaited<ReturnType<typeof readOwed>>['items'][number];

function Owed() {
  const filters = useFilters();
  const mayMoney = useMay('money');
  const month = filters.get('month') || monthOf(new Date());
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isProposing, setProposing] = useState(false);
  const list = useEndless(['refunds', 'owed', month], async (cursor) => readOwed(month, cursor));
  const rows = list.rows.filter(({ entry, state }) => chosen.has(entry) && state === 'owed');
  return (
    <Section title="Owed back" actions={<Exports path="/reports/refunds" query={{ month }} />}>
      <div className="filters">
        <Field
          label="Month"
          type="month"
          value={month}
          onChange={(value) => {
            setChosen(new Set());
            filters.set({ month: value });
          }}
        />
      </div>
      <Table
        name="refunds due"
        columns={dueColumns}
        list={list}
        keyOf={({ entry }) => entry}
        empty="Nothing is owed back to a payer of this month."
        {...(mayMoney ? { selection: { keys: chosen, change: setChosen } } : {})}
        actions={
          mayMoney ? (
            <Button look="primary" isDisabled={rows.length === 0} onPress={() => setProposing(true)}>
              Propose to pay {rows.length === 0 ? '' : rows.length}
            </Button>
          ) : undefined
        }
      />
      {isProposing ? (
        <Propose rows={rows} onClose={() => setProposing(false)} onDone={() => setChosen(new Set())} />
      ) : null}
    </Section>
  );
}

const dueColumns: readonly Column<Due>[] = [
  {
    title: 'State',
    text: ({ state }) => state,
    cell: ({ state }) => <Badge state={state} tone={state === 'owed' ? 'warn' : 'plain'} />,
    width: '8rem',
  },
  {
    title: 'Since',
    text: ({ issuedAt }) => issuedAt,
    cell: ({ issuedAt }) => <Moment at={issuedAt} />,
    width: '12rem',
  },
  {
    title: 'Amount',
    text: ({ amount }) => amount,
    cell: ({ amount, asset }) => <Money amount={amount} asset={asset} />,
    isNumber: true,
    width: '9rem',
  },
  { title: 'Payer', text: ({ payer }) => payer, cell: ({ payer }) => <Id value={payer} />, width: '10rem' },
  { title: 'Why', text: ({ reason }) => reason, width: '10rem' },
  { title: 'Product', text: ({ product }) => product, width: '8rem' },
  { title: 'Entry', text: ({ entry }) => entry, cell: ({ entry }) => <Id value={entry} />, width: '10rem' },
  {
    title: 'Paid back by',
    text: ({ refundTransaction }) => refundTransaction ?? '',
    cell: ({ refundTransaction }) => <Id value={refundTransaction} />,
    width: '10rem',
  },
];

interface ProposeProps {
  readonly rows: readonly Due[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

function Propose({ rows, onClose, onDone }: ProposeProps) {
  const queries = useQueryClient();
  const sums = [...Map.groupBy(rows, ({ asset }) => asset)];
  return (
    <FormDialog
      title={`Propose ${rows.length} ${rows.length === 1 ? 'refund' : 'refunds'}`}
      action="Propose"
      isOpen
      isReady={rows.length > 0 && rows.length <= 100}
      onClose={onClose}
      onSubmit={async () => {
        await ok(gate.POST('/admin/refunds', { body: { entries: rows.map(({ entry }) => entry) } }));
        onDone();
        await queries.invalidateQueries({ queryKey: ['refunds'] });
      }}
    >
      <p>
        All of them, or none. Another operator approves; then the settler sends the money from its own wallet, at once
        and once.
      </p>
      <ul>
        {sums.map(([asset, due]) => (
          <li key={asset}>
            <Money amount={sumMoney(due.map(({ amount }) => amount))} asset={asset} /> to{' '}
            {new Set(due.map(({ payer }) => payer)).size} payers
          </li>
        ))}
      </ul>
      {rows.length > 100 ? <p className="note">At most 100 at a time.</p> : null}
    </FormDialog>
  );
}

interface Decision {
  readonly what: 'approve' | 'reject';
  readonly refund: Refund;
}

function Proposals() {
  const filters = useFilters();
  const mayMoney = useMay('money');
  const [decision, setDecision] = useState<Decision>();
  const state = states.find((one) => one === filters.get('refund'));
  const list = useEndless(['refunds', 'proposed', state], async (cursor) =>
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
  );
  return (
    <Section title="Proposed and paid">
      <div className="filters">
        <Select
          label="State"
          value={state ?? 'all'}
          onChange={(id) => filters.set({ refund: id === 'all' ? '' : id })}
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
    width: '12rem',
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
  width: '11rem',
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
