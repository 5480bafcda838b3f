import { argument, type CommandSpec, type Context, type Input, isSet, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { ListPart } from '../terminal/output.js';
import { type Column, cellText } from '../terminal/table.js';
import { flagOf, rangeOptions } from './exports.js';
import { outputOption, print, save } from './files.js';
import { limitOf, limitOption } from './lists.js';

const month = ['month'];
const days = ['month', 'from', 'to'];
/** Which parameters of the route each report has, by the options' names. */
const parameters: Readonly<Record<string, readonly string[]>> = {
  'trial-balance': ['month', 'asOf'],
  'general-ledger': [...days, 'ledgerAccount'],
  journal: days,
  revenue: month,
  'revenue-timing': month,
  'daily-revenue': days,
  callers: month,
  usage: [...days, 'account'],
  'plan-comparison': [...month, 'account'],
  invoices: month,
  ageing: ['asOf'],
  statement: [...days, 'customer'],
  settlements: month,
  unpaid: month,
  refunds: month,
  sweeps: month,
  dust: month,
  gas: month,
};
const every = [...new Set(Object.values(parameters).flat())];
const csvParameters = ['separator', 'decimal'];

/** The reports of finance. */
export const reports: readonly CommandSpec[] = [
  {
    name: 'reports',
    summary: 'Prints a report of finance.',
    speaks: 'billing',
    timeoutSeconds: 300,
    arguments: [{ name: 'report', description: 'which one', choices: Object.keys(parameters) }],
    options: [
      ...rangeOptions,
      { flags: '--as-of <day>', description: 'of trial-balance and ageing: at the end of that day' },
      { flags: '--ledger-account <code>', description: 'of general-ledger: which one' },
      { flags: '--customer <customer>', description: 'of statement: which one' },
      { flags: '--account <account>', description: 'of usage and plan-comparison: which one' },
      { flags: '--csv', description: 'as CSV, with every row' },
      { flags: '--bom', description: 'with --csv: a byte order mark, by which Excel knows UTF-8' },
      {
        flags: '--separator <separator>',
        description: 'with --csv; default: comma',
        choices: ['comma', 'semicolon', 'tab'],
      },
      { flags: '--decimal <mark>', description: 'with --csv: in amounts; default: point', choices: ['point', 'comma'] },
      { ...outputOption, description: `with --csv: ${outputOption.description}` },
      limitOption,
    ],
    examples: [
      { line: 'reports revenue --month 2026-11 --csv > revenue.csv', output: '' },
      {
        line: 'reports trial-balance --as-of 2026-11-30 --csv --output balance.csv',
        output: 'file   balance.csv\nbytes  1804',
      },
    ],
    run: async (input, context) => {
      const { out, billing } = context;
      const query = queryOf(input);
      if (isSet(input, 'csv')) return answerCsv(input, query, context);
      if (['output', ...csvParameters].some((name) => textOf(input, name) !== undefined) || isSet(input, 'bom')) {
        throw new Failure(exitCodes.usage, '--output, --bom, --separator and --decimal are of --csv');
      }
      const parts = billing().list(`/reports/${argument(input)}`, query, limitOf(input));
      const first = await parts.next();
      if (first.done === true) return undefined;
      await out.list(withFirst(first.value, parts), columnsOf(first.value.items));
      return undefined;
    },
  },
];

type Query = Readonly<Record<string, string | undefined>>;

/** What the report takes of the options; one that it does not know is a fault, and not left out in silence. */
function queryOf(input: Input): Query {
  const name = argument(input);
  const known = parameters[name] ?? [];
  const strange = every.filter((option) => !known.includes(option) && textOf(input, option) !== undefined);
  if (strange.length > 0) throw new Failure(exitCodes.usage, `${name} has no ${strange.map(flagOf).join(', ')}`);
  return Object.fromEntries(known.map((option) => [option, textOf(input, option)]));
}

async function answerCsv(input: Input, query: Query, context: Context): Promise<undefined> {
  const file = textOf(input, 'output');
  if (context.out.json && file === undefined) throw new Failure(exitCodes.usage, 'say either --csv or --json');
  const shape = {
    ...Object.fromEntries(csvParameters.map((name) => [name, textOf(input, name)])),
    bom: isSet(input, 'bom') ? 'true' : undefined,
    format: 'csv',
  };
  const answer = await context.billing().stream(`/reports/${argument(input)}`, { ...query, ...shape }, 'text/csv');
  return file === undefined ? print(answer, context) : save(answer, file, context);
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
