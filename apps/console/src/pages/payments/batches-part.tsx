import { useMemo } from 'react';
import { Link, useLocation } from 'wouter';
import { readAll } from '../../api/all.js';
import { useEndless, useRead } from '../../api/hooks.js';
import { monthOf } from '../../format/time.js';
import { useAddress } from '../../ui/address.js';
import { Field, Select } from '../../ui/fields.js';
import { Exports, Facts, Section } from '../../ui/page.js';
import { Empty, Shown } from '../../ui/states.js';
import { type Column, Table, wholeList } from '../../ui/table.js';
import { Badge, Count, Dash, Id, Moment, Money } from '../../ui/values.js';
import { type Batch, batchesOf, readSettlements, type Settlement } from './settlements.js';
import { flowName } from './words.js';

/** No more payments of a month than these are gathered by transaction. */
const most = 10_000;

const unfiltered = { month: '', transaction: '', by: '' };

/** What the books and the chain say of the payments of a month: each, or by the transaction that moved them. */
export function BatchesPart() {
  const [filters, setFilters] = useAddress(unfiltered);
  const month = filters.month || monthOf(new Date());
  const transaction = filters.transaction;
  const isEach = filters.by === 'payment';
  return (
    <>
      <search className="filters">
        <Field
          label="Month"
          type="month"
          value={month}
          onChange={(value) => setFilters({ month: value, transaction: '' })}
        />
        <Select
          label="Shown by"
          value={isEach ? 'payment' : 'transaction'}
          onChange={(id) => setFilters({ by: id === 'payment' ? id : '', transaction: '' })}
          choices={[
            { id: 'transaction', label: 'transaction' },
            { id: 'payment', label: 'payment' },
          ]}
        />
        <Exports path="/reports/settlements" query={{ month }} />
      </search>
      {isEach ? <Each month={month} /> : <Batches month={month} transaction={transaction} />}
    </>
  );
}

function Each({ month }: { readonly month: string }) {
  const [, navigate] = useLocation();
  const list = useEndless(['settlements', month], async (cursor) => readSettlements(month, cursor));
  return (
    <Table
      name="settlements"
      columns={settlementColumns}
      list={list}
      keyOf={keyOf}
      onOpen={({ entry }) => (entry === null ? undefined : navigate(`/receipts?id=${entry}`))}
      empty="No payment of this month is in the books."
    />
  );
}

const keyOf = ({ network, token, payer, nonce, entry, transaction }: Settlement): string =>
  [network, token, payer, nonce, entry, transaction].join(' ');

function Batches({ month, transaction }: { readonly month: string; readonly transaction: string }) {
  const [, setFilters] = useAddress(unfiltered);
  const read = useRead(['settlements', 'whole', month], async () =>
    readAll(async (cursor) => readSettlements(month, cursor), most),
  );
  const batches = useMemo(() => batchesOf(read.data?.items ?? []), [read.data]);
  return (
    <Shown of={read} what="Reading the payments of the month">
      {({ isCut, items }) => {
        const batch = batches.find((one) => one.transaction === transaction);
        if (batch !== undefined) return <OneBatch batch={batch} />;
        return (
          <>
            {isCut ? (
              <p className="note">The month has more than {items.length} payments: only these are gathered here.</p>
            ) : null}
            {transaction === '' ? null : (
              <Empty>No payment of this month was moved by that transaction. Try the month of its block.</Empty>
            )}
            <Table
              name="transactions"
              columns={batchColumns}
              list={wholeList(batches)}
              keyOf={(one) => one.transaction}
              onOpen={(one) => setFilters({ transaction: one.transaction })}
              empty="Nothing was settled in this month."
            />
          </>
        );
      }}
    </Shown>
  );
}

const Sums = ({ batch: { settled } }: { readonly batch: Batch }) =>
  settled.map(({ asset, amount }, index) => (
    <span key={asset}>
      {index === 0 ? '' : ', '}
      <Money amount={amount} asset={asset} />
    </span>
  ));

const batchColumns: readonly Column<Batch>[] = [
  {
    title: 'Block time',
    text: ({ blockTime }) => blockTime ?? '',
    cell: ({ blockTime }) => <Moment at={blockTime} />,
    width: '13rem',
  },
  {
    title: 'Transaction',
    text: ({ transaction }) => transaction,
    cell: ({ transaction }) => <Id value={transaction} length={20} />,
    width: '13rem',
  },
  {
    title: 'Block',
    text: ({ block }) => block ?? '',
    cell: ({ block }) => <Count value={block} />,
    isNumber: true,
    width: '7rem',
  },
  {
    title: 'Payments',
    text: ({ size }) => size ?? '',
    cell: ({ size }) => <Count value={size} />,
    isNumber: true,
    width: '7rem',
  },
  {
    title: 'Moved',
    text: ({ settled }) => settled.map(({ asset, amount }) => `${amount} ${asset}`).join(', '),
    cell: (batch) => <Sums batch={batch} />,
    isNumber: true,
    width: 'minmax(13rem, 1fr)',
  },
  {
    title: 'Gas, wei',
    text: ({ gas }) => gas,
    cell: ({ gas }) => <Count value={gas} />,
    isNumber: true,
    width: '13rem',
  },
  {
    title: 'Finality',
    text: ({ finality }) => finality ?? '',
    cell: ({ finality }) => (finality === null ? <Dash /> : <Badge state={finality} />),
    width: '8rem',
  },
];

function OneBatch({ batch }: { readonly batch: Batch }) {
  const [location, navigate] = useLocation();
  const [filters] = useAddress(unfiltered);
  return (
    <Section
      title="One transaction"
      actions={
        <Link href={`${location}?part=batches&month=${filters.month}`} className="button quiet">
          All transactions of the month
        </Link>
      }
    >
      <Facts
        of={[
          ['Transaction', <Id key="transaction" value={batch.transaction} length={24} />],
          ['Network', batch.network ?? '–'],
          ['Block', <Count key="block" value={batch.block} />],
          ['Block time', <Moment key="time" at={batch.blockTime} />],
          ['Moved', <Sums key="moved" batch={batch} />],
          ['Payments in it', <Count key="size" value={batch.size} />],
        ]}
      />
      <Table
        name="payments of the transaction"
        columns={settlementColumns}
        list={wholeList(batch.payments)}
        keyOf={keyOf}
        onOpen={({ entry }) => (entry === null ? undefined : navigate(`/receipts?id=${entry}`))}
      />
    </Section>
  );
}

const settlementTones = {
  matched: 'good',
  deferred: 'info',
  'awaiting-settlement': 'info',
  'awaiting-record': 'info',
  explained: 'plain',
} as const;

const toneOf = (status: string) => settlementTones[status as keyof typeof settlementTones] ?? 'warn';

const settlementColumns: readonly Column<Settlement>[] = [
  {
    title: 'Status',
    text: ({ status }) => status,
    cell: ({ status }) => <Badge state={status.replaceAll('-', ' ')} tone={toneOf(status)} />,
    width: '13rem',
  },
  {
    title: 'Served',
    text: ({ issuedAt }) => issuedAt ?? '',
    cell: ({ issuedAt }) => <Moment at={issuedAt} />,
    width: '13rem',
  },
  { title: 'Product', text: ({ product }) => product ?? '', width: '8rem' },
  { title: 'Payer', text: ({ payer }) => payer ?? '', cell: ({ payer }) => <Id value={payer} />, width: '10rem' },
  {
    title: 'Recorded',
    text: ({ recorded }) => recorded ?? '',
    cell: ({ recorded, asset }) => <Money amount={recorded} asset={asset} />,
    isNumber: true,
    width: '9rem',
  },
  {
    title: 'Moved',
    text: ({ settled }) => settled ?? '',
    cell: ({ settled, asset }) => <Money amount={settled} asset={asset} />,
    isNumber: true,
    width: '9rem',
  },
  { title: 'Flow', text: ({ flow }) => (flow === null ? '' : flowName(flow)), width: '7rem' },
  {
    title: 'Transaction',
    text: ({ transaction }) => transaction ?? '',
    cell: ({ transaction }) => <Id value={transaction} />,
    width: '10rem',
  },
  {
    title: 'Block',
    text: ({ block }) => block ?? '',
    cell: ({ block }) => <Count value={block} />,
    isNumber: true,
    width: '7rem',
  },
  { title: 'Entry', text: ({ entry }) => entry ?? '', cell: ({ entry }) => <Id value={entry} />, width: '10rem' },
];
