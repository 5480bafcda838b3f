import { readFile } from 'node:fs/promises';
import { argument, type CommandSpec, type Context, given, type Input, isSet, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { outputOption, save } from './files.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const payment = '6f0e1c52-7d3a-8b4e-9c1f-2a3b4c5d6e7f';
const invoice = '3f0b7a1e-5c1d-8a2b-9e3f-4a5b6c7d8e9f';
const match = '0a1b2c3d-4e5f-8a6b-9c7d-8e9f0a1b2c3d';
const paymentArgument = { name: 'payment', description: 'its id' };
const amountOption = { flags: '--amount <dollars>', description: 'that much, and not as much as both have left' };
const paymentColumns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'BOOKED', cell: ({ bookedOn }) => bookedOn },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'MATCHED', cell: ({ matched }) => matched, alignsRight: true },
  { heading: 'PAYER', cell: ({ payer }) => payer },
  { heading: 'REFERENCE', cell: ({ reference }) => reference },
];
const proposalColumns: readonly Column<Row>[] = [
  { heading: 'PAYMENT', cell: ({ payment: id }) => id },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'CUSTOMER', cell: ({ customerName }) => customerName },
  { heading: 'INVOICES', cell: ({ numbers }) => numbers },
  { heading: 'CONFIDENCE', cell: ({ confidence }) => confidence, alignsRight: true },
  { heading: 'REASONS', cell: ({ reasons }) => reasons },
];
const matchColumns: readonly Column<Row>[] = [
  { heading: 'MATCH', cell: ({ id }) => id },
  { heading: 'INVOICE', cell: ({ number }) => number },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'RULE', cell: ({ rule }) => rule },
  { heading: 'BY', cell: ({ matchedBy }) => matchedBy },
  { heading: 'WHY', cell: ({ why }) => why },
];
const letterColumns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'CUSTOMER', cell: ({ customerName }) => customerName },
  { heading: 'LEVEL', cell: ({ level }) => level, alignsRight: true },
  { heading: 'TOTAL', cell: ({ total }) => total, alignsRight: true },
  { heading: 'SUBJECT', cell: ({ subject }) => subject },
];
const paid = `id         ${payment}
booked     2026-11-05
amount     10.000000
matched    10.000000
state      matched
payer      Acme
reference  KF 000001`;
const letter = `ID                                    CUSTOMER  LEVEL      TOTAL  SUBJECT
${match}  Acme          1  16.000000  Payment reminder: KF-000001, KF-000002`;

/** What came in at the bank, and what customers are reminded of. */
export const receivables: readonly CommandSpec[] = [
  {
    name: 'bank-payments import',
    summary: 'Says what a bank statement would bring, and with --yes stores it and matches what names an invoice.',
    speaks: 'billing',
    arguments: [
      { name: 'account', description: 'the id of the bank account' },
      { name: 'file', description: 'the statement, as CSV' },
    ],
    options: [{ flags: '--yes', description: 'does it' }, idempotencyOption],
    examples: [
      {
        line: `bank-payments import ${match} november.csv --yes`,
        output: `preview  false
lines    12
added    3
matched  2`,
      },
    ],
    run: importStatement,
  },
  {
    name: 'bank-payments list',
    summary: 'Lists payments of the bank statements, by the day on which they were booked.',
    speaks: 'billing',
    options: [
      {
        flags: '--state <state>',
        description: 'open: some of it is not matched; out: it went out',
        choices: ['open', 'matched', 'out'],
      },
      limitOption,
    ],
    examples: [
      {
        line: 'bank-payments list --state open',
        output: `ID                                    BOOKED         AMOUNT   MATCHED  PAYER  REFERENCE
${payment}  2026-11-05  10.000000  0.000000  Acme   your invoice`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(
        billing().list('/bank-payments', { state: textOf(input, 'state') }, limitOf(input)),
        paymentColumns,
      );
      return undefined;
    },
  },
  {
    name: 'bank-payments show',
    summary: 'Shows a payment, and what it was matched to.',
    speaks: 'billing',
    arguments: [paymentArgument],
    examples: [
      {
        line: `bank-payments show ${payment}`,
        output: `${paid}
MATCH                                 INVOICE       AMOUNT  STATE  RULE            BY  WHY
${match}  KF-000001  10.000000  final  invoice-number  -   -`,
      },
    ],
    run: async (input, context) => {
      const { body } = await context.billing().get(pathOf(input));
      const { body: matches } = await context.billing().get(`${pathOf(input)}/matches`);
      await show({ ...body, matches: matches['items'] }, context);
      await context.out.table(matches['items'] as Row[], matchColumns);
      return undefined;
    },
  },
  {
    name: 'bank-payments proposals',
    summary: 'Says which invoices open payments may be of, the likeliest first. It matches none.',
    speaks: 'billing',
    options: [limitOption],
    examples: [
      {
        line: 'bank-payments proposals',
        output: `PAYMENT                                  AMOUNT  CUSTOMER  INVOICES   CONFIDENCE  REASONS
${payment}  10.000000  Acme      KF-000001          75  amount, name`,
      },
    ],
    run: async (input, { billing, out }) => {
      const items: Row[] = [];
      for await (const part of billing().list('/bank-payments/proposals', {}, limitOf(input))) {
        for (const { payment: of, proposals } of part.items) items.push(...proposed(of as Row, proposals as Row[]));
      }
      if (out.json) await out.record({ items }, []);
      else await out.table(items, proposalColumns);
      return undefined;
    },
  },
  {
    name: 'bank-payments match',
    summary: 'Says which invoice a payment pays.',
    speaks: 'billing',
    arguments: [paymentArgument, { name: 'invoice', description: 'its id' }],
    options: [amountOption, idempotencyOption],
    examples: [{ line: `bank-payments match ${payment} ${invoice}`, output: paid }],
    run: async (input, context) =>
      act(input, context, { what: 'match', body: { invoice: argument(input, 1), amount: textOf(input, 'amount') } }),
  },
  {
    name: 'bank-payments unmatch',
    summary: 'Takes back a match that was wrong: the invoice is to be paid again.',
    speaks: 'billing',
    arguments: [paymentArgument, { name: 'match', description: 'its id, as `bank-payments show` has it' }],
    options: [{ flags: '--why <text>', description: 'what was wrong', required: true }, idempotencyOption],
    examples: [
      {
        line: `bank-payments unmatch ${payment} ${match} --why 'of another customer'`,
        output: paid
          .replace('matched    10.000000', 'matched    0.000000')
          .replace('state      matched', 'state      open'),
      },
    ],
    run: async (input, context) =>
      act(input, context, { what: 'unmatch', body: { match: argument(input, 1), why: textOf(input, 'why') } }),
  },
  {
    name: 'bank-payments credit',
    summary: 'Makes what is left of a payment the credit of a customer.',
    speaks: 'billing',
    arguments: [paymentArgument, { name: 'customer', description: 'the id of the customer' }],
    options: [amountOption, idempotencyOption],
    examples: [{ line: `bank-payments credit ${payment} ${match}`, output: paid }],
    run: async (input, context) =>
      act(input, context, { what: 'credit', body: { customer: argument(input, 1), amount: textOf(input, 'amount') } }),
  },
  {
    name: 'reminders run',
    summary: 'Says which reminders of overdue invoices are due, and with --yes writes them. Nothing is sent.',
    speaks: 'billing',
    options: [
      { flags: '--customer <customer>', description: 'to this one alone' },
      { flags: '--yes', description: 'does it' },
      idempotencyOption,
    ],
    examples: [
      { line: 'reminders run --yes', output: `preview    false\ntotal      16.000000\nremaining  0\n${letter}` },
    ],
    run: async (input, { billing, out }) => {
      const request = given({ preview: !isSet(input, 'yes'), customer: textOf(input, 'customer') });
      const { body } = await billing().post('/reminders/run', request);
      const { preview, total, remaining, items } = body;
      await out.record(body, Object.entries({ preview, total, remaining }));
      await out.table(items as Row[], letterColumns);
      return undefined;
    },
  },
  {
    name: 'reminders list',
    summary: 'Lists the reminders that were written, the oldest first.',
    speaks: 'billing',
    options: [{ flags: '--customer <customer>', description: 'of this one alone' }, limitOption],
    examples: [{ line: 'reminders list', output: letter }],
    run: async (input, { billing, out }) => {
      const query = { customer: textOf(input, 'customer') };
      await out.list(billing().list('/reminders', query, limitOf(input)), letterColumns);
      return undefined;
    },
  },
  {
    name: 'reminders save',
    summary: 'Writes a reminder to a file, as a PDF.',
    speaks: 'billing',
    arguments: [{ name: 'reminder', description: 'its id' }],
    options: [{ ...outputOption, required: true }],
    examples: [{ line: `reminders save ${match} --output reminder.pdf`, output: `file   reminder.pdf\nbytes  21044` }],
    run: async (input, context) =>
      save(
        await context.billing().stream(`/reminders/${idPath(argument(input))}/pdf`, undefined, 'application/pdf'),
        textOf(input, 'output') ?? '',
        context,
      ),
  },
];

async function importStatement(input: Input, { billing, out }: Context): Promise<undefined> {
  const path = argument(input, 1);
  const content = await readFile(path, 'base64').catch(() => {
    throw new Failure(exitCodes.usage, `${path} cannot be read`);
  });
  const preview = !isSet(input, 'yes');
  const target = `/bank-statements?bankAccount=${idPath(argument(input))}&preview=${String(preview)}`;
  const { body } = await billing().post(target, { content });
  await out.record(
    body,
    Object.entries({ preview, lines: body['lines'], added: body['added'], matched: body['matched'] }),
  );
}

function proposed({ id, amount }: Row, proposals: readonly Row[]): readonly Row[] {
  return proposals.map(({ customerName, invoices, confidence, reasons }) => ({
    payment: id,
    amount,
    customerName,
    numbers: (invoices as Row[]).map(({ number }) => String(number)).join(', '),
    confidence,
    reasons: (reasons as string[]).join(', '),
  }));
}

function pathOf(input: Input): string {
  return `/bank-payments/${idPath(argument(input))}`;
}

async function act(
  input: Input,
  context: Context,
  { what, body }: { readonly what: string; readonly body: Readonly<Record<string, unknown>> },
): Promise<undefined> {
  return show((await context.billing().post(`${pathOf(input)}/${what}`, given(body))).body, context);
}

async function show(found: Row, { out }: Context): Promise<undefined> {
  const { id, bookedOn, amount, matched, state, payer, reference } = found;
  await out.record(found, Object.entries({ id, booked: bookedOn, amount, matched, state, payer, reference }));
}
