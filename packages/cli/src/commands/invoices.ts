import { argument, type CommandSpec, type Context, type Input, isSet, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption, wholeNumber } from './lists.js';

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
period    2026-11-01 to 2026-11-30, UTC
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
    summary: "Draws up the draft of an account's period, or draws it up again.",
    speaks: 'billing',
    arguments: [
      { name: 'account', description: 'the id of the account' },
      { name: 'period', description: 'the month it begins in, such as 2026-11, or an instant in it' },
    ],
    options: [idempotencyOption],
    examples: [{ line: 'invoices draft acc_4f8c2k9q1m3n 2026-11', output: example }],
    run: async (input, context) => {
      const period = argument(input, 1);
      const request = { account: argument(input), ...(period.length > 7 ? { at: period } : { month: period }) };
      return show((await context.billing().post('/invoices', request)).body, context);
    },
  },
  {
    name: 'invoices finalize',
    summary: 'Says what would become of the drafts of a month, and with --yes makes them final, as far as they can be.',
    speaks: 'billing',
    timeoutSeconds: 600,
    arguments: [{ name: 'month', description: 'such as 2026-11' }],
    options: [{ flags: '--yes', description: 'does it' }],
    examples: [
      {
        line: 'invoices finalize 2026-11 --yes',
        output: `month    2026-11
preview  false
refused  1
ACCOUNT           NUMBER     PAYABLE  REFUSED
acc_4f8c2k9q1m3n  KF-000001    51.56
acc_9d2k4m8x7p1q  -                -  invoice/no-contract`,
      },
    ],
    run: finalize,
  },
  {
    name: 'invoices approve',
    summary: 'Approves a draft that is over the limit, for another operator to make final.',
    speaks: 'billing',
    arguments: [{ name: 'invoice', description: 'its id' }],
    options: [idempotencyOption],
    examples: [{ line: 'invoices approve 3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f', output: example }],
    run: async (input, context) => act(input, context, 'approve'),
  },
  {
    name: 'invoices void',
    summary: 'Voids a final invoice that nothing was paid or credited of; its period is drafted again.',
    speaks: 'billing',
    arguments: [{ name: 'invoice', description: 'its id' }],
    options: [idempotencyOption],
    examples: [{ line: 'invoices void 3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f', output: example }],
    run: async (input, context) => act(input, context, 'void'),
  },
  {
    name: 'invoices give-up',
    summary: 'Takes what is still to be paid of an invoice for lost.',
    speaks: 'billing',
    arguments: [{ name: 'invoice', description: 'its id' }],
    options: [idempotencyOption],
    examples: [{ line: 'invoices give-up 3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f', output: example }],
    run: async (input, context) => act(input, context, 'uncollectible'),
  },
  {
    name: 'invoices credit',
    summary: 'Credits all that is left of an invoice, or an amount of one of its lines.',
    speaks: 'billing',
    arguments: [{ name: 'invoice', description: 'its id' }],
    options: [
      { flags: '--reason <text>', description: 'what the credit note says', required: true },
      { flags: '--line <line>', description: 'the number of the line, from 1' },
      { flags: '--amount <dollars>', description: 'how much of the line' },
      idempotencyOption,
    ],
    examples: [
      {
        line: 'invoices credit 3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f --reason outage --line 2 --amount 10',
        output: `number   KF/C-000001
reason   outage
total    11.90
digest   91ab…`,
      },
    ],
    run: credit,
  },
];

const finalColumns: readonly Column<Row>[] = [
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'NUMBER', cell: ({ number }) => number },
  { heading: 'PAYABLE', cell: ({ payable }) => payable, alignsRight: true },
  { heading: 'REFUSED', cell: ({ refusal }) => (refusal as { code?: string } | null)?.code ?? '' },
];

/** Page by page, so that no request takes long; what was done before it broke off stays done. */
async function finalize(input: Input, { billing, out }: Context): Promise<undefined> {
  const month = argument(input);
  const preview = !isSet(input, 'yes');
  const items: Row[] = [];
  for (let after: unknown; ; ) {
    const request = { month, preview, ...(typeof after === 'string' ? { after } : {}) };
    const { body } = await billing().post('/invoices/finalize', request);
    items.push(...(body['items'] as Row[]));
    after = body['next'];
    if (typeof after !== 'string') break;
  }
  const refused = items.filter(({ refusal }) => refusal !== null).length;
  await out.record({ month, preview, refused, items }, Object.entries({ month, preview, refused }));
  await out.table(items, finalColumns);
}

async function act(input: Input, context: Context, what: string): Promise<undefined> {
  return show((await context.billing().post(`/invoices/${idPath(argument(input))}/${what}`, {})).body, context);
}

async function credit(input: Input, { billing, out }: Context): Promise<undefined> {
  const line = textOf(input, 'line');
  const amount = textOf(input, 'amount');
  if ((line === undefined) !== (amount === undefined)) {
    throw new Failure(exitCodes.usage, '--line and --amount go together');
  }
  const lines =
    line === undefined ? {} : { lines: [{ line: wholeNumber('--line', line, { least: 1, most: 100_000 }), amount }] };
  const request = { reason: textOf(input, 'reason'), ...lines };
  const { body } = await billing().post(`/invoices/${idPath(argument(input))}/credit-notes`, request);
  const { number, reason, total, digest } = body;
  await out.record(body, Object.entries({ number, reason, total, digest }));
}

async function show(invoice: Row, { out }: Context): Promise<undefined> {
  const { firstDay, lastDay, timeZone } = invoice;
  const period = `${String(firstDay)} to ${String(lastDay)}, ${String(timeZone)}`;
  const { id, number, month, account, accountName, state, total, payable, receipts, digest, lines } = invoice;
  await out.record(invoice, [
    ...Object.entries({ id, ...(number === null ? {} : { number }), month, period, account, name: accountName, state }),
    ...Object.entries({ total, payable, receipts, digest }),
  ]);
  if (Array.isArray(lines) && lines.length > 0) await out.table(lines as Row[], lineColumns);
}
