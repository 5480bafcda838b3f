import { argument, type CommandSpec, type Context, type Input, isSet } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-code.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const runArgument = { name: 'run', description: 'its id' };
const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'SCOPE', cell: ({ scope }) => scope },
  { heading: 'TRIGGER', cell: ({ trigger }) => trigger },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'PROGRESS', cell: progressText },
  { heading: 'REQUESTED', cell: ({ requestedAt }) => requestedAt },
  { heading: 'FINISHED', cell: ({ finishedAt }) => finishedAt },
];
const id = '8a1cb0f2-0a52-4f0e-9b1e-2f6f4f6d1a11';
const example = `id         ${id}
scope      full
trigger    manual
state      running
progress   7 of 19, ledger
requested  2026-11-27T05:30:00.000Z
started    2026-11-27T05:30:00.100Z
finished   -
failure    -`;

/** Reconciliations as what they are: work that is asked for, goes on, and ends. */
export const runs: readonly CommandSpec[] = [
  {
    name: 'runs list',
    summary: 'Lists reconciliations, the newest first, with those that wait.',
    speaks: 'billing',
    options: [limitOption],
    examples: [
      {
        line: 'runs list --limit 1',
        output: `ID                                    SCOPE  TRIGGER  STATE    PROGRESS         REQUESTED                 FINISHED
${id}  full   manual   running  7 of 19, ledger  2026-11-27T05:30:00.000Z  -`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list('/reconciliations', {}, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'runs start',
    summary: 'Asks for a reconciliation, and does not wait for it: `reconcile` does.',
    speaks: 'billing',
    options: [
      { flags: '--full', description: 'reads all of the books and every signature, and not only what is open or new' },
      idempotencyOption,
    ],
    examples: [
      { line: 'runs start --full', output: example.replace('running', 'queued').replace('7 of 19, ledger', '-') },
    ],
    run: async (input, context) => {
      const body = isSet(input, 'full') ? { scope: 'full' } : {};
      return show((await context.billing().post('/reconciliations', body)).body, context);
    },
  },
  {
    name: 'runs show',
    summary: 'Shows a reconciliation, and how far it has come. It ends with 1 when it failed.',
    speaks: 'billing',
    arguments: [runArgument],
    options: [{ flags: '--follow', description: 'goes on until it has ended, and says on stderr how far it has come' }],
    examples: [{ line: `runs show ${id}`, output: example }],
    run: async (input, context) => show(await read(input, context), context),
  },
  {
    name: 'runs cancel',
    summary: 'Ends a reconciliation that waits or goes on, of which then nothing is kept.',
    speaks: 'billing',
    arguments: [runArgument],
    options: [idempotencyOption],
    examples: [
      {
        line: `runs cancel ${id}`,
        output: example.replace('running', 'failed').replace('failure    -', 'failure    cancelled'),
      },
    ],
    run: async (input, context) => {
      await show((await context.billing().post(`${pathOf(input)}/cancel`)).body, context);
      return undefined;
    },
  },
];

const pathOf = (input: Input): string => `/reconciliations/${idPath(argument(input))}`;
const lookMs = 500;

async function read(input: Input, { billing, out }: Context): Promise<Row> {
  let said = '';
  for (;;) {
    const { body } = await billing().get(pathOf(input));
    const isOver = body['state'] === 'done' || body['state'] === 'failed';
    if (isOver || !isSet(input, 'follow')) return body;
    const now = `${String(body['state'])}: ${progressText(body) ?? 'not begun'}`;
    if (now !== said) out.note(now);
    said = now;
    await new Promise((wake) => setTimeout(wake, lookMs));
  }
}

/** How many of its checks are done, and which one is next; null before it is begun. */
function progressText({ progress }: Row): string | null {
  if (typeof progress !== 'object' || progress === null) return null;
  const { check, done, total } = progress as Row;
  if (typeof total !== 'number' || total === 0) return null;
  return `${String(done)} of ${String(total)}${typeof check === 'string' ? `, ${check}` : ''}`;
}

async function show(run: Row, { out }: Context): Promise<ExitCode> {
  await out.record(run, [
    ['id', run['id']],
    ['scope', run['scope']],
    ['trigger', run['trigger']],
    ['state', run['state']],
    ['progress', progressText(run)],
    ['requested', run['requestedAt']],
    ['started', run['startedAt']],
    ['finished', run['finishedAt']],
    ['failure', run['failure']],
  ]);
  return run['state'] === 'failed' ? exitCodes.finding : exitCodes.ok;
}
