import type { components } from '@keyfare/api-types/gate';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { gate, ok } from '../../api/client.js';
import { useEndless } from '../../api/hooks.js';
import { tokenAmount } from '../../format/token.js';
import { useAddress } from '../../ui/address.js';
import { Button } from '../../ui/button.js';
import { Field, Select } from '../../ui/fields.js';
import { SearchField } from '../../ui/search-field.js';
import { type Column, Table } from '../../ui/table.js';
import { TokenMoney } from '../../ui/token-money.js';
import { Badge, Id, Moment } from '../../ui/values.js';
import { flowName } from './words.js';

type Payment = components['schemas']['Payment'];

const states = ['claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired'] as const;
const address = /^0x[0-9a-f]{40}$/i;
const dayMs = 86_400_000;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const unfiltered = { payer: '', state: '', transaction: '', account: '', from: '', to: '' };

/** Every payment that was presented in a time and claimed, the newest first. */
export function AttemptsPart() {
  const [, navigate] = useLocation();
  const [filters, setFilters] = useAddress(unfiltered);
  const [now] = useState(Date.now);
  const payer = filters.payer;
  const isAddress = payer === '' || address.test(payer);
  const state = states.find((one) => one === filters.state);
  const transaction = filters.transaction;
  const account = filters.account;
  const from = filters.from || dayOf(now - 30 * dayMs);
  const to = filters.to || dayOf(now);
  const time = {
    from: `${from}T00:00:00Z`,
    to: new Date(Date.parse(`${to}T00:00:00Z`) + dayMs).toISOString(),
  };
  const query = {
    // A transaction is looked for in the last year, unless a time is chosen.
    ...(transaction !== '' && filters.from === '' ? {} : time),
    ...(transaction === '' ? {} : { transaction }),
    ...(account === '' ? {} : { account }),
    ...(state === undefined ? {} : { state }),
    ...(payer === '' || !isAddress ? {} : { payer }),
  };
  const list = useEndless(['payments', query], async (cursor) =>
    ok(
      gate.GET('/admin/payments', {
        params: { query: { ...query, limit: '100', ...(cursor === undefined ? {} : { cursor }) } },
      }),
    ),
  );
  return (
    <>
      <search className="filters">
        <SearchField
          label="Payer"
          value={payer}
          onChange={(value) => setFilters({ payer: value })}
          {...(isAddress ? {} : { hint: 'An address is 0x and 40 digits: all payers are shown.' })}
        />
        <Select
          label="State"
          value={state ?? 'all'}
          onChange={(id) => setFilters({ state: id === 'all' ? '' : id })}
          choices={[{ id: 'all', label: 'All' }, ...states.map((id) => ({ id, label: id }))]}
        />
        <SearchField label="Transaction" value={transaction} onChange={(value) => setFilters({ transaction: value })} />
        <Field label="From" type="date" value={from} onChange={(value) => setFilters({ from: value })} />
        <Field label="To" type="date" value={to} onChange={(value) => setFilters({ to: value })} />
      </search>
      {account === '' ? null : (
        <p className="note">
          Only those of <Link href={`/customers/${account}`}>{account}</Link>, beyond its plan.{' '}
          <Button look="quiet" onPress={() => setFilters({ account: '' })}>
            Show all
          </Button>
        </p>
      )}
      <Table
        name="payments"
        columns={columns}
        list={list}
        keyOf={({ id }) => id}
        onOpen={({ id }) => navigate(`/payments/${id}`)}
        empty="No payment was presented in this time. The longest that can be asked for is 366 days."
      />
    </>
  );
}

const columns: readonly Column<Payment>[] = [
  {
    title: 'Presented',
    text: ({ claimedAt }) => claimedAt,
    cell: ({ claimedAt }) => <Moment at={claimedAt} />,
    width: '13rem',
  },
  {
    title: 'Amount',
    text: (payment) => tokenAmount(payment, payment.amount)?.amount ?? payment.amount,
    cell: (payment) => <TokenMoney network={payment.network} asset={payment.asset} amount={payment.amount} />,
    isNumber: true,
    width: '9rem',
  },
  { title: 'State', text: ({ state }) => state, cell: ({ state }) => <Badge state={state} />, width: '7rem' },
  { title: 'Payer', text: ({ payer }) => payer, cell: ({ payer }) => <Id value={payer} />, width: '10rem' },
  { title: 'Flow', text: ({ flow }) => flowName(flow), width: '9rem' },
  { title: 'Why it failed', text: ({ cause }) => cause ?? '', width: 'minmax(11rem, 1fr)' },
  {
    title: 'Transaction',
    text: ({ transaction }) => transaction ?? '',
    cell: ({ transaction }) => <Id value={transaction} />,
    width: '10rem',
  },
];
