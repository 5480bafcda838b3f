import { argument, type CommandSpec, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idPath, limitOf, limitOption } from './lists.js';

const states = ['claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired'];

const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'PAYER', cell: ({ payer }) => payer },
  { heading: 'NETWORK', cell: ({ network }) => network },
  { heading: 'CLAIMED', cell: ({ claimedAt }) => claimedAt },
];
const attemptColumns: readonly Column<Row>[] = [
  { heading: 'TRANSACTION', cell: ({ transaction }) => transaction },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'NONCE', cell: ({ walletNonce }) => walletNonce, alignsRight: true },
  { heading: 'MAX FEE', cell: ({ maxFeePerGas }) => maxFeePerGas, alignsRight: true },
  { heading: 'SIGNED', cell: ({ createdAt }) => createdAt },
];

/** x402 payments. */
export const payments: readonly CommandSpec[] = [
  {
    name: 'payments list',
    summary: 'Lists payments, the newest first; of the last 31 days, unless --from says another time.',
    speaks: 'api',
    options: [
      { flags: '--payer <address>', description: 'only those of this wallet' },
      { flags: '--state <state>', description: 'only these', choices: states },
      { flags: '--transaction <hash>', description: 'only those that this transaction of our settler moves' },
      { flags: '--account <account>', description: 'only those of this account' },
      { flags: '--from <time>', description: 'such as 2026-11-01T00:00:00Z' },
      { flags: '--to <time>', description: 'at most 366 days later' },
      limitOption,
    ],
    examples: [
      {
        line: 'payments list --state settling',
        output: `ID                                    STATE     AMOUNT  PAYER                                       NETWORK       CLAIMED
01939f3c-7a52-7c10-9c5e-1f2a3b4c5d6e  settling    1000  0x51908f598a5e0d8f1a3bafa6df76f9704dad0720  eip155:84532  2026-11-27T05:26:22.000Z`,
      },
    ],
    run: async (input, { api, out }) => {
      const names = ['payer', 'state', 'transaction', 'account', 'from', 'to'];
      const query = Object.fromEntries(names.map((name) => [name, textOf(input, name)]));
      await out.list(api().list('/admin/payments', query, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'payments show',
    summary:
      'Shows what became of a payment, and what its caller should do. The amount is in atomic units of the asset.',
    speaks: 'api',
    arguments: [{ name: 'payment', description: 'its id, which is that of its receipt' }],
    examples: [
      {
        line: 'payments show 01939f3c-7a52-7c10-9c5e-1f2a3b4c5d6e',
        output: `id           01939f3c-7a52-7c10-9c5e-1f2a3b4c5d6e
state        final
amount       1000
asset        0x036cbd53842c5426634e7929541ec2318f3dcf7e
network      eip155:84532
payer        0x51908f598a5e0d8f1a3bafa6df76f9704dad0720
pay to       0x70997970c51812dc3a010c7d01b50e0d17dc79c8
flow         authorization
account      -
claimed      2026-11-27T05:26:22.000Z
served       2026-11-27T05:26:22.000Z
refund due   -
cause        -
transaction  0x6b1f…
advice       Paid and served. The owner of the answer gets it again with the Idempotency-Key of the first call.
TRANSACTION  STATE  NONCE     MAX FEE  SIGNED
0x6b1f…      moved      0  3000000000  2026-11-27T05:26:22.000+00:00`,
      },
    ],
    run: async (input, { api, out }) => {
      const { body } = await api().get(`/admin/payments/${idPath(argument(input))}`);
      const { id, state, amount, asset, network, payer, payTo, flow, account, claimedAt, servedAt } = body;
      const { refundDueAt, cause, transaction, advice, attempts } = body;
      await out.record(body, [
        ...Object.entries({ id, state, amount, asset, network, payer, 'pay to': payTo, flow, account }),
        ...Object.entries({
          claimed: claimedAt,
          served: servedAt,
          'refund due': refundDueAt,
          cause,
          transaction,
          advice,
        }),
      ]);
      if (Array.isArray(attempts) && attempts.length > 0) await out.table(attempts as Row[], attemptColumns);
      return undefined;
    },
  },
];
