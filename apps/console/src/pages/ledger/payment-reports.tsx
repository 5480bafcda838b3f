import { billing, ok } from '../../api/client.js';
import { column } from '../../ui/columns.js';
import { money, month, page, type Report, type RowOf } from './reports.js';

const settlements: Report<RowOf<'/reports/settlements'>> = {
  title: 'Settlements',
  says: 'Each payment of a month: what was recorded, and what the chain moved.',
  params: ['month'],
  columns: [
    column.state('State', ({ status }) => status, '12rem'),
    column.text('Flow', ({ flow }) => flow, '7rem'),
    column.text('Product', ({ product }) => product),
    column.id('Payer', ({ payer }) => payer),
    money('Recorded', ({ recorded }) => recorded),
    money('Settled', ({ settled }) => settled),
    column.id('Transaction', ({ transaction }) => transaction),
    column.count('Payments in it', ({ payments }) => payments, '9rem'),
    column.text('Block', ({ block }) => block, '7rem'),
    column.moment('Block time', ({ blockTime }) => blockTime),
    column.state('Finality', ({ finality }) => finality, '8rem'),
    column.moment('Issued', ({ issuedAt }) => issuedAt),
    column.id('Entry', ({ entry }) => entry),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/settlements', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const unpaid: Report<RowOf<'/reports/unpaid'>> = {
  title: 'Unpaid',
  says: 'Calls of a month that were served and not paid for, and why.',
  params: ['month'],
  columns: [
    column.moment('Issued', ({ issuedAt }) => issuedAt),
    column.text('Product', ({ product }) => product),
    column.id('Payer', ({ payer }) => payer),
    money('Amount', ({ amount }) => amount),
    column.text('Reason', ({ reason }) => reason, 'minmax(10rem, 2fr)'),
    column.id('Transaction', ({ transaction }) => transaction),
    column.id('Entry', ({ entry }) => entry),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/unpaid', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const refunds: Report<RowOf<'/reports/refunds'>> = {
  title: 'Refunds',
  says: 'What came in for calls that were not served: still owed, or given back.',
  params: ['month'],
  columns: [
    column.state('State', ({ state }) => state, '8rem'),
    column.moment('Issued', ({ issuedAt }) => issuedAt),
    column.text('Product', ({ product }) => product),
    column.id('Payer', ({ payer }) => payer),
    money('Amount', ({ amount }) => amount),
    column.text('Reason', ({ reason }) => reason, 'minmax(10rem, 2fr)'),
    column.id('Refund', ({ refundTransaction }) => refundTransaction),
    column.id('Entry', ({ entry }) => entry),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/refunds', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const sweeps: Report<RowOf<'/reports/sweeps'>> = {
  title: 'Sweeps',
  says: 'What one wallet of ours sent another.',
  params: ['month'],
  columns: [
    column.state('State', ({ state }) => state),
    column.moment('When', ({ at }) => at),
    column.text('Network', ({ network }) => network),
    column.id('From', ({ from }) => from),
    column.id('To', ({ to }) => to),
    money('Amount', ({ amount }) => amount),
    column.id('Transaction', ({ transaction }) => transaction),
    column.text('Block', ({ block }) => block, '7rem'),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/sweeps', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const dust: Report<RowOf<'/reports/dust'>> = {
  title: 'Dust and transfers of nothing',
  says: 'What strangers send to be seen. Never copy an address from here: it may only look like one that you know.',
  params: ['month'],
  columns: [
    column.moment('When', ({ at }) => at),
    column.text('Network', ({ network }) => network),
    column.text('From', ({ from }) => from, '24rem'),
    column.text('To', ({ to }) => to, '24rem'),
    money('Amount', ({ amount }) => amount),
    column.text('Sender', ({ sender }) => sender, '24rem'),
    column.id('Transaction', ({ transaction }) => transaction),
  ],
  read: async (query, cursor) =>
    ok(billing.GET('/reports/dust', { params: { query: { ...page(cursor), ...month(query) } } })),
};

const gas: Report<RowOf<'/reports/gas'>> = {
  title: 'Gas',
  says: 'What settling cost, and what it moved. With a rate also in dollars.',
  params: ['month', 'by', 'ethUsd'],
  columns: [
    column.day('Day', ({ day }) => day),
    column.text('Network', ({ network }) => network),
    column.id('Settler', ({ settler }) => settler),
    column.id('Transaction', ({ transaction }) => transaction),
    column.count('Transactions', ({ transactions }) => transactions, '8rem'),
    column.count('Payments', ({ payments }) => payments, '8rem'),
    column.money(
      'Gas',
      (row) => row.gas,
      () => 'ETH',
    ),
    column.money(
      'Moved in USDC',
      ({ usdc }) => usdc,
      () => 'USDC',
    ),
    column.money(
      'Moved in EURC',
      ({ eurc }) => eurc,
      () => 'EURC',
    ),
    column.money(
      'Gas in dollars',
      ({ gasUsd }) => gasUsd,
      () => 'USD',
    ),
    column.text('Part of it, %', ({ gasPercent }) => gasPercent),
  ],
  read: async ({ by, ethUsd, ...query }, cursor) =>
    ok(
      billing.GET('/reports/gas', {
        params: {
          query: {
            ...page(cursor),
            ...month(query),
            ...(by === undefined ? {} : { by }),
            ...(ethUsd === undefined ? {} : { ethUsd }),
          },
        },
      }),
    ),
};

export const paymentReports = { settlements, unpaid, refunds, sweeps, dust, gas };
