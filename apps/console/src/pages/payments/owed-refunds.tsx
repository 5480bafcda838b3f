import { useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { largestPart, readAll } from '../../api/all.js';
import { billing, gate, ok } from '../../api/client.js';
import { useEndless, useMay, useRead } from '../../api/hooks.js';
import { sumMoney } from '../../format/money.js';
import { monthOf } from '../../format/time.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { FormDialog } from '../../ui/dialog.js';
import { Field } from '../../ui/fields.js';
import { Exports, Section } from '../../ui/page.js';
import { type Column, Table } from '../../ui/table.js';
import { Badge, Id, Moment, Money } from '../../ui/values.js';

const readOwed = async (month: string, cursor: string | undefined) =>
  ok(
    billing.GET('/reports/refunds', {
      params: { query: { month, limit: '100', ...(cursor === undefined ? {} : { cursor }) } },
    }),
  );

type Due = Awaited<ReturnType<typeof readOwed>>['items'][number];

/** Of entries that somebody has proposed to pay, how far that is; one that was rejected can be proposed again. */
const useProposed = () =>
  useRead(['refunds', 'by entry'], async () => {
    const { items } = await readAll(async (cursor) =>
      ok(
        gate.GET('/admin/refunds', {
          params: { query: { limit: largestPart, ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    );
    return new Map(items.filter(({ state }) => state !== 'rejected').map(({ entry, state }) => [entry, state]));
  });

const unfiltered = { month: '' };

/** What is owed back by the log, to be proposed. */
export function Owed() {
  const [filters, setFilters] = useAddress(unfiltered);
  const mayMoney = useMay('money');
  const month = filters.month || monthOf(new Date());
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [isProposing, setProposing] = useState(false);
  const list = useEndless(['refunds', 'owed', month], async (cursor) => readOwed(month, cursor));
  const { data: proposed } = useProposed();
  const columns = useMemo(() => dueColumns(proposed), [proposed]);
  const rows = list.rows.filter(
    ({ entry, state }) => chosen.has(entry) && state === 'owed' && proposed?.has(entry) !== true,
  );
  return (
    <Section title="Owed back" actions={<Exports path="/reports/refunds" query={{ month }} />}>
      <div className="filters">
        <Field
          label="Month"
          type="month"
          value={month}
          onChange={(value) => {
            setChosen(new Set());
            setFilters({ month: value });
          }}
        />
      </div>
      <Table
        name="refunds due"
        columns={columns}
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

const dueColumns = (proposed: ReadonlyMap<string, string> | undefined): readonly Column<Due>[] => [
  {
    title: 'State',
    text: ({ entry, state }) => (state === 'owed' ? (proposed?.get(entry) ?? state) : state),
    cell: ({ entry, state }) => {
      const further = state === 'owed' ? proposed?.get(entry) : undefined;
      return (
        <Badge state={further ?? state} tone={state !== 'owed' ? 'plain' : further === undefined ? 'warn' : 'info'} />
      );
    },
    width: '8rem',
  },
  {
    title: 'Since',
    text: ({ issuedAt }) => issuedAt,
    cell: ({ issuedAt }) => <Moment at={issuedAt} />,
    width: '13rem',
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
