import { argument, type CommandSpec, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const faults = [
  'receipt-invalid',
  'digest-mismatch',
  'receipt-missing',
  'usage-mismatch',
  'terms-missing',
  'call-mismatch',
  'account-ended',
];
const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'PLACE', cell: ({ place }) => place, alignsRight: true },
  { heading: 'KIND', cell: ({ kind }) => kind },
  { heading: 'PRINCIPAL', cell: ({ principal }) => principal },
  { heading: 'FAULT', cell: ({ fault }) => fault },
  { heading: 'DETAIL', cell: ({ detail }) => detail },
];

/** Entries of the log that billing refused. */
export const entries: readonly CommandSpec[] = [
  {
    name: 'entries list',
    summary: 'Lists the entries that billing refused, in the order of the log.',
    speaks: 'billing',
    options: [{ flags: '--fault <fault>', description: 'only these', choices: faults }, limitOption],
    examples: [
      {
        line: 'entries list --fault terms-missing',
        output: `ID      PLACE  KIND  PRINCIPAL          FAULT          DETAIL
019a…  120035  call  acct_4f8c2k9q1m3n  terms-missing  No terms of the account were known when the call was read.`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list('/entries', { fault: textOf(input, 'fault') }, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'entries readmit',
    summary: 'Checks a refused entry again, and books it as if it had been read now.',
    speaks: 'billing',
    arguments: [{ name: 'entry', description: 'its id' }],
    options: [{ flags: '--reason <text>', description: 'why, which is kept', required: true }, idempotencyOption],
    examples: [
      {
        line: "entries readmit 019a… --reason 'the terms came late'",
        output: `id         019a…
place      120035
kind       call
principal  acct_4f8c2k9q1m3n
fault      -`,
      },
    ],
    run: async (input, { billing, out }) => {
      const path = `/entries/${idPath(argument(input))}/readmit`;
      const { body } = await billing().post(path, { reason: textOf(input, 'reason') });
      await out.record(
        body,
        ['id', 'place', 'kind', 'principal', 'fault'].map((name) => [name, body[name]] as const),
      );
      return undefined;
    },
  },
];
