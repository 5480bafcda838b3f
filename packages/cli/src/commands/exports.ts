import { argument, type CommandSpec, type Input, type OptionSpec, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import { outputOption, print, save } from './files.js';

/** Of which time, where a month is not what is wanted. */
export const rangeOptions: readonly OptionSpec[] = [
  { flags: '--month <month>', description: 'such as 2026-11; default: the running one' },
  { flags: '--from <day>', description: 'in place of a month, with --to: the first day, such as 2026-11-01' },
  { flags: '--to <day>', description: 'the last day, which is part of it' },
];

/** Which parameters of the route each file has, by the options' names. */
const parameters: Readonly<Record<string, readonly string[]>> = {
  hledger: ['month', 'from', 'to'],
  journals: ['month', 'from', 'to', 'program', 'asset', 'by', 'accounts', 'taxRate'],
  focus: ['month', 'account', 'provider'],
};
const every = [...new Set(Object.values(parameters).flat())];

/** Files for other programs. */
export const exports: readonly CommandSpec[] = [
  {
    name: 'exports',
    summary: 'Writes a file for another program: the journal for hledger, journals for accounting, usage as FOCUS.',
    speaks: 'billing',
    timeoutSeconds: 300,
    arguments: [{ name: 'export', description: 'which one', choices: Object.keys(parameters) }],
    options: [
      ...rangeOptions,
      { flags: '--program <program>', description: 'of journals', choices: ['quickbooks', 'xero', 'netsuite'] },
      { flags: '--asset <asset>', description: 'of journals: one file holds one; default: USD' },
      { flags: '--by <period>', description: 'of journals: one for each; default: month', choices: ['day', 'month'] },
      {
        flags: '--accounts <how>',
        description: 'of journals: ledger accounts together or each by itself; default: control',
        choices: ['control', 'each'],
      },
      { flags: '--tax-rate <name>', description: 'of journals for Xero: its name for lines without tax' },
      { flags: '--account <account>', description: 'of focus: whose usage' },
      { flags: '--provider <name>', description: 'of focus: who invoices, as the customer knows them' },
      outputOption,
    ],
    examples: [
      {
        line: 'exports journals --program xero --month 2026-11 --output november.csv',
        output: 'file   november.csv\nbytes  20412',
      },
      { line: 'exports hledger --month 2026-11 > november.journal', output: '' },
    ],
    run: async (input, context) => {
      const name = argument(input);
      const answer = await context.billing().stream(`/exports/${name}`, queryOf(input, name), 'text/csv, text/plain');
      const file = textOf(input, 'output');
      return file === undefined ? print(answer, context) : save(answer, file, context);
    },
  },
];

function queryOf(input: Input, name: string): Readonly<Record<string, string | undefined>> {
  const known = parameters[name] ?? [];
  const strange = every.filter((option) => !known.includes(option) && textOf(input, option) !== undefined);
  if (strange.length > 0) throw new Failure(exitCodes.usage, `${name} has no ${strange.map(flagOf).join(', ')}`);
  return Object.fromEntries(known.map((option) => [option, textOf(input, option)]));
}

/** As people write it: `taxRate` is `--tax-rate`. */
export function flagOf(option: string): string {
  return `--${option.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;
}
