import { argument, type CommandSpec, type Context, given, type Input, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const id = '5d1e7c0a-2b3c-4d5e-8f6a-7b8c9d0e1f2a';
const idArgument = { name: 'adjustment', description: 'its id' };
const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: (row) => row['id'] },
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'MONTH', cell: ({ month }) => month },
  { heading: 'KIND', cell: ({ kind }) => kind },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'DESCRIPTION', cell: ({ description }) => description },
];
const example = `id           ${id}
account      acc_4f8c2k9q1m3n
month        2026-11
kind         credit
amount       2.500000
invoiced     0.000000
state        open
description  Outage of 3 November
why          ticket 7
by           ann`;

/** What is added to invoices, or taken from them. */
export const adjustments: readonly CommandSpec[] = [
  {
    name: 'adjustments list',
    summary: 'Lists what was added to invoices and taken from them, the oldest first.',
    speaks: 'billing',
    options: [
      { flags: '--account <account>', description: 'of this one alone' },
      {
        flags: '--state <state>',
        description: 'waiting: for another operator; open: not all of it is on a final invoice',
        choices: ['waiting', 'open', 'invoiced', 'withdrawn'],
      },
      limitOption,
    ],
    examples: [
      {
        line: 'adjustments list --state open',
        output: `ID                                    ACCOUNT           MONTH    KIND      AMOUNT  STATE  DESCRIPTION
${id}  acc_4f8c2k9q1m3n  2026-11  credit  2.500000  open   Outage of 3 November`,
      },
    ],
    run: async (input, { billing, out }) => {
      const query = { account: textOf(input, 'account'), state: textOf(input, 'state') };
      await out.list(billing().list('/adjustments', query, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'adjustments add',
    summary: 'Adds to the next invoice of an account, takes from it, or puts on it what later invoices draw on.',
    speaks: 'billing',
    arguments: [
      { name: 'account', description: 'the id of the account' },
      { name: 'kind', description: 'what it is', choices: ['debit', 'credit', 'prepaid'] },
      { name: 'amount', description: 'in dollars, such as 2.50' },
    ],
    options: [
      { flags: '--description <text>', description: 'what the customer reads', required: true },
      { flags: '--why <text>', description: 'what the books keep', required: true },
      { flags: '--month <month>', description: 'of this invoice, or the first later one that is not final' },
      idempotencyOption,
    ],
    examples: [
      {
        line: "adjustments add acc_4f8c2k9q1m3n credit 2.50 --description 'Outage of 3 November' --why 'ticket 7'",
        output: example,
      },
    ],
    run: async (input, context) => {
      const [account, kind, amount] = [0, 1, 2].map((index) => argument(input, index));
      const texts = { description: textOf(input, 'description'), why: textOf(input, 'why') };
      const request = given({ account, kind, amount, ...texts, month: textOf(input, 'month') });
      return show((await context.billing().post('/adjustments', request)).body, context);
    },
  },
  {
    name: 'adjustments approve',
    summary: 'Agrees to one that another operator made and that is over the limit.',
    speaks: 'billing',
    arguments: [idArgument],
    options: [idempotencyOption],
    examples: [{ line: `adjustments approve ${id}`, output: example }],
    run: async (input, context) => act(input, context, 'approve'),
  },
  {
    name: 'adjustments withdraw',
    summary: 'Takes back one that is on no final invoice.',
    speaks: 'billing',
    arguments: [idArgument],
    options: [idempotencyOption],
    examples: [{ line: `adjustments withdraw ${id}`, output: example.replace('open', 'withdrawn') }],
    run: async (input, context) => act(input, context, 'withdraw'),
  },
];

async function act(input: Input, context: Context, what: string): Promise<undefined> {
  return show((await context.billing().post(`/adjustments/${idPath(argument(input))}/${what}`, {})).body, context);
}

async function show(found: Row, { out }: Context): Promise<undefined> {
  const { account, month, kind, amount, invoiced, state, description, why, madeBy } = found;
  await out.record(
    found,
    Object.entries({
      id: found['id'],
      account,
      month,
      kind,
      amount,
      invoiced,
      state,
      description,
      why,
      by: madeBy,
    }),
  );
}
