import { argument, type CommandSpec, type Context, type Input, isSet, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { ListPart } from '../terminal/output.js';
import { type Column, cellText } from '../terminal/table.js';
import { limitOf, limitOption } from './lists.js';

const names = ['revenue', 'trial-balance', 'settlements', 'unpaid', 'refunds', 'sweeps', 'dust', 'gas'];

/** The reports of finance. */
export const reports: readonly CommandSpec[] = [
  {
    name: 'reports',
    summary: 'Prints a report of finance.',
    speaks: 'billing',
    arguments: [{ name: 'report', description: 'which one', choices: names }],
    options: [
      {
        flags: '--month <month>',
        description: 'such as 2026-11; default: the running one (trial-balance: everything)',
      },
      { flags: '--csv', description: 'as CSV, with every row' },
      limitOption,
    ],
    examples: [{ line: 'reports revenue --month 2026-11 --csv > revenue.csv', output: '' }],
    run: async (input, context) => {
      const { out, billing } = context;
      if (isSet(input, 'csv')) return printCsv(input, context);
      const path = `/reports/${argument(input)}`;
      const parts = billing().list(path, { month: textOf(input, 'month') }, limitOf(input));
      const first = await parts.next();
      if (first.done === true) return undefined;
      await out.list(withFirst(first.value, parts), columnsOf(first.value.items));
      return undefined;
    },
  },
];

async function printCsv(input: Input, { out, billing }: Context): Promise<undefined> {
  if (out.json) throw new Failure(exitCodes.usage, 'say either --csv or --json');
  const query = { month: textOf(input, 'month'), format: 'csv' };
  const { body } = await billing().stream(`/reports/${argument(input)}`, query, 'text/csv');
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) await out.raw(decoder.decode(chunk as Uint8Array, { stream: true }));
  await out.raw(decoder.decode());
}

async function* withFirst(first: ListPart<Row>, rest: AsyncIterable<ListPart<Row>>): AsyncGenerator<ListPart<Row>> {
  yield first;
  yield* rest;
}

/** The columns are those that the report has. */
function columnsOf(rows: readonly Row[]): readonly Column<Row>[] {
  const amount = /^-?\d+(?:\.\d+)?$/;
  return Object.keys(rows[0] ?? {}).map((name) => ({
    heading: name.toUpperCase(),
    cell: (row: Row) => row[name],
    alignsRight: rows.every((row) => row[name] === null || amount.test(cellText(row[name]))),
  }));
}
