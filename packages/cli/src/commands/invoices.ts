import { argument, type CommandSpec, type Context, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'MONTH', cell: ({ month }) => month },
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'NAME', cell: ({ accountName }) => accountName },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'PAYABLE', cell: ({ payable }) => payable, alignsRight: true },
];
const lineColumns: readonly Column<Row>[] = [
  { heading: 'KIND', cell: ({ kind }) => kind },
  { heading: 'DESCRIPTION', cell: ({ description }) => description },
  { heading: 'QUANTITY', cell: ({ quantity }) => quantity, alignsRight: true },
  { heading: 'UNIT PRICE', cell: ({ unitPrice }) => unitPrice, alignsRight: true },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
];
const example = `id        3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f
month     2026-11
account   acc_4f8c2k9q1m3n
name      Acme
state     draft
total     51.560000
payable   51.56
receipts  105120
digest    4b2c…
KIND      DESCRIPTION  QUANTITY  UNIT PRICE     AMOUNT
plan      pro                 1   49.000000  49.000000
included  forecast       100000    0.000000   0.000000
overage   forecast         5120    0.000500   2.560000`;

/** Invoices. */
export const invoices: readonly CommandSpec[] = [
  {
    name: 'invoices list',
    summary: 'Lists invoices, the newest month first.',
    speaks: 'billing',
    options: [
      { flags: '--account <account>', description: 'only those of this one' },
      { flags: '--month <month>', description: 'only those of this one, such as 2026-11' },
      limitOption,
    ],
    examples: [
      {
        line: 'invoices list --month 2026-11',
        output: `ID                                    MONTH    ACCOUNT           NAME  STATE  PAYABLE
3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f  2026-11  acc_4f8c2k9q1m3n  Acme  draft    51.56`,
      },
    ],
    run: async (input, { billing, out }) => {
      const query = { account: textOf(input, 'account'), month: textOf(input, 'month') };
      await out.list(billing().list('/invoices', query, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'invoices show',
    summary: 'Shows an invoice with its lines, in US dollars.',
    speaks: 'billing',
    arguments: [{ name: 'invoice', description: 'its id' }],
    examples: [{ line: 'invoices show 3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f', output: example }],
    run: async (input, context) =>
      show((await context.billing().get(`/invoices/${idPath(argument(input))}`)).body, context),
  },
  {
    name: 'invoices draft',
    summary: "Draws up the draft of an account's month, or draws it up again.",
    speaks: 'billing',
    arguments: [
      { name: 'account', description: 'the id of the account' },
      { name: 'month', description: 'such as 2026-11' },
    ],
    options: [idempotencyOption],
    examples: [{ line: 'invoices draft acc_4f8c2k9q1m3n 2026-11', output: example }],
    run: async (input, context) => {
      const request = { account: argument(input), month: argument(input, 1) };
      return show((await context.billing().post('/invoices', request)).body, context);
    },
  },
];

async function show(invoice: Row, { out }: Context): Promise<undefined> {
  const { id, number, month, account, accountName, state, total, payable, receipts, digest, lines } = invoice;
  await out.record(invoice, [
    ...Object.entries({ id, ...(number === null ? {} : { number }), month, account, name: accountName, state }),
    ...Object.entries({ total, payable, receipts, digest }),
  ]);
  if (Array.isArray(lines) && lines.length > 0) await out.table(lines as Row[], lineColumns);
}
