import { argument, type CommandSpec, type Context, type Input, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import { type Column, cellText } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const states = ['proposed', 'rejected', 'credited', 'approved', 'settling', 'settled', 'final'];
const entryArgument = {
  name: 'entry',
  description: 'the id of the entry that says it is due, as `reports refunds` has it',
};
const columns: readonly Column<Row>[] = [
  { heading: 'ENTRY', cell: ({ entry }) => entry },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'PAYER', cell: ({ payer }) => payer },
  { heading: 'BY', cell: ({ proposedBy }) => nameOf(proposedBy) },
  { heading: 'DECIDED', cell: ({ decidedBy }) => nameOf(decidedBy) },
];
const example = `entry        019ac2f0-1c1e-7c3a-9f6e-0d4f7f1f2a3b
state        proposed
amount       1000
payer        0x857b06519e91e3a54538791bdbb0e22373e36b66
network      eip155:8453
proposed by  ann
decided by   -
transaction  -
failure      -`;
const entry = '019ac2f0-1c1e-7c3a-9f6e-0d4f7f1f2a3b';
const customer = '0e4f6a1c-77a1-4a55-9c0e-9d1f5a3b2c10';

/** What is owed back to payers, and is paid. */
export const refunds: readonly CommandSpec[] = [
  {
    name: 'refunds list',
    summary: 'Lists refunds that were proposed, those of the newest entries first.',
    speaks: 'api',
    options: [{ flags: '--state <state>', description: 'only these', choices: states }, limitOption],
    examples: [
      {
        line: 'refunds list --state proposed',
        output: `ENTRY                                 STATE     AMOUNT  PAYER                                       BY   DECIDED
${entry}  proposed    1000  0x857b06519e91e3a54538791bdbb0e22373e36b66  ann  -`,
      },
    ],
    run: async (input, { api, out }) => {
      await out.list(api().list('/admin/refunds', { state: textOf(input, 'state') }, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'refunds show',
    summary: 'Shows a refund, and what became of it.',
    speaks: 'api',
    arguments: [entryArgument],
    examples: [{ line: `refunds show ${entry}`, output: example }],
    run: async (input, context) => show((await context.api().get(pathOf(input))).body, context),
  },
  {
    name: 'refunds propose',
    summary: 'Proposes to pay back what an entry says is owed. Another operator approves it.',
    speaks: 'api',
    arguments: [entryArgument],
    options: [idempotencyOption],
    examples: [{ line: `refunds propose ${entry}`, output: example }],
    run: async (input, context) => {
      const { body } = await context.api().post('/admin/refunds', { entries: [argument(input)] });
      const [proposed = {}] = body['items'] as readonly Row[];
      return show(proposed, context);
    },
  },
  {
    name: 'refunds approve',
    summary: 'Pays a refund that another operator proposed.',
    speaks: 'api',
    arguments: [entryArgument],
    options: [idempotencyOption],
    examples: [
      {
        line: `refunds approve ${entry}`,
        output: example.replace('proposed\n', 'approved\n').replace('decided by   -', 'decided by   bob'),
      },
    ],
    run: async (input, context) => show((await context.api().post(`${pathOf(input)}/approve`)).body, context),
  },
  {
    name: 'refunds reject',
    summary: 'Takes the proposal of a refund back.',
    speaks: 'api',
    arguments: [entryArgument],
    options: [idempotencyOption],
    examples: [
      {
        line: `refunds reject ${entry}`,
        output: example.replace('proposed\n', 'rejected\n').replace('decided by   -', 'decided by   bob'),
      },
    ],
    run: async (input, context) => show((await context.api().post(`${pathOf(input)}/reject`)).body, context),
  },
  {
    name: 'refunds credit',
    summary: 'Makes what an entry says is owed to a wallet of a customer their credit. It is never paid back then.',
    speaks: 'billing',
    arguments: [entryArgument],
    options: [{ flags: '--customer <customer>', description: 'its id', required: true }, idempotencyOption],
    examples: [
      {
        line: `refunds credit ${entry} --customer ${customer}`,
        output: `customer  ${customer}\nbalance   0.001000`,
      },
    ],
    run: async (input, { billing, out }) => {
      const path = `/customers/${idPath(textOf(input, 'customer') ?? '')}/credit/refund`;
      const { body } = await billing().post(path, { entry: argument(input) });
      await out.record(body, [
        ['customer', body['customer']],
        ['balance', body['balance']],
      ]);
      return undefined;
    },
  },
];

function pathOf(input: Input): string {
  return `/admin/refunds/${idPath(argument(input))}`;
}

async function show(refund: Row, { out }: Context): Promise<undefined> {
  await out.record(refund, [
    ['entry', refund['entry']],
    ['state', refund['state']],
    ['amount', refund['amount']],
    ['payer', refund['payer']],
    ['network', refund['network']],
    ['proposed by', nameOf(refund['proposedBy'])],
    ['decided by', nameOf(refund['decidedBy'])],
    ['transaction', refund['transaction']],
    ['failure', refund['failure']],
  ]);
}

function nameOf(operator: unknown): string | null {
  return typeof operator === 'object' && operator !== null ? cellText((operator as Row)['name']) : null;
}
