import { argument, type CommandSpec, type Context, given, type Input, isSet, textOf } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Field } from '../terminal/output.js';
import { type Column, cellText } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

/** The break that a command is about. */
export const breakArgument = { name: 'break', description: 'its id' };
const kinds = ['no-posting', 'write-off', 'gift', 'refund-due', 'other-wallet', 'duplicate', 'correction'] as const;
const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'CLASS', cell: ({ class: name }) => name },
  { heading: 'STATUS', cell: ({ status }) => status },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'ASSET', cell: ({ asset }) => asset },
  { heading: 'AGE', cell: ({ ageDays }) => ageDays, alignsRight: true },
  { heading: 'OWNER', cell: ({ owner }) => owner },
  { heading: 'DETAIL', cell: ({ detail }) => detail },
];
const openColumns: readonly Column<Row>[] = [
  { heading: 'CLASS', cell: ({ class: name }) => name },
  { heading: 'OPEN', cell: ({ count }) => count, alignsRight: true },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'ASSET', cell: ({ asset }) => asset },
];
const example = `id          brk_2c1f…
class       unpaid-call
keys        {"entry":"01939f3c-7a52-7c10-9c5e-1f2a3b4c5d6e"}
severity    high
status      resolved
side        chain
amount      0.001000 USDC
detail      The call was served and the money never came.
owner       ann
due         -
note        -
resolution  written off
posting     write-off: uncollected to x402-receivable:eip155:8453
proposal    -
first seen  2026-11-27T00:30:00.000Z
last seen   2026-11-27T05:30:00.000Z`;

/** The reconciliation, and what it finds. */
export const books: readonly CommandSpec[] = [
  {
    name: 'reconcile',
    summary:
      'Reconciles receipts, usage, ledger and chain, and waits for it. It ends with 1 when there are open breaks, or something could not be checked.',
    speaks: 'billing',
    timeoutSeconds: 900,
    options: [
      { flags: '--latest', description: 'shows the last run instead of starting one' },
      { flags: '--full', description: 'reads all of the books and every signature, and not only what is open or new' },
      idempotencyOption,
    ],
    examples: [
      {
        line: 'reconcile',
        output: `run       8a1c…
started   2026-11-27T05:30:00.000Z
finished  2026-11-27T05:30:01.000Z
entries   120034 good, 0 bad, complete
chain     current
open      1
digest    77aa…
CLASS        OPEN    AMOUNT  ASSET
unpaid-call     1  0.001000  USDC`,
      },
    ],
    run: reconcile,
  },
  {
    name: 'breaks list',
    summary: 'Lists what does not agree, the oldest first.',
    speaks: 'billing',
    options: [
      { flags: '--status <status>', description: 'only these', choices: ['open', 'resolved'] },
      { flags: '--class <class>', description: 'only these: docs/breaks.md explains each' },
      limitOption,
    ],
    examples: [
      {
        line: 'breaks list --status open',
        output: `ID         CLASS        STATUS    AMOUNT  ASSET  AGE  OWNER  DETAIL
brk_2c1f…  unpaid-call  open    0.001000  USDC     0  -      The call was served and the money never came.`,
      },
    ],
    run: async (input, { billing, out }) => {
      const query = { status: textOf(input, 'status'), class: textOf(input, 'class') };
      await out.list(billing().list('/breaks', query, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'breaks show',
    summary: 'Shows a break.',
    speaks: 'billing',
    arguments: [breakArgument],
    examples: [{ line: 'breaks show brk_2c1f…', output: example }],
    run: async (input, context) => showBreak((await context.billing().get(pathOf(input))).body, context),
  },
  {
    name: 'breaks change',
    summary: 'Takes a break on, or notes something.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [
      { flags: '--owner <name>', description: 'who looks into it' },
      { flags: '--due <day>', description: 'until when, such as 2026-12-24' },
      { flags: '--note <text>', description: 'what is known' },
      idempotencyOption,
    ],
    examples: [{ line: 'breaks change brk_2c1f… --owner ann', output: example }],
    run: async (input, context) => {
      const change = given({
        owner: textOf(input, 'owner'),
        note: textOf(input, 'note'),
        dueOn: textOf(input, 'due'),
      });
      if (Object.keys(change).length === 0) throw new Failure(exitCodes.usage, 'name what is to change');
      return showBreak((await context.billing().change(pathOf(input), change)).body, context);
    },
  },
  {
    name: 'breaks resolve',
    summary: 'Resolves a break, for a reason that stays with it.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [
      { flags: '--resolution <text>', description: 'why it is no difference, or what was done', required: true },
      { flags: '--kind <kind>', description: 'what it posts: docs/breaks.md explains each', choices: kinds },
      { flags: '--debit <account>', description: 'of a correction: the code of the ledger account' },
      { flags: '--credit <account>', description: 'of a correction: the code of the ledger account' },
      { flags: '--amount <amount>', description: 'of a correction: such as 0.25' },
      idempotencyOption,
    ],
    examples: [{ line: "breaks resolve brk_2c1f… --resolution 'written off' --kind write-off", output: example }],
    run: async (input, context) => {
      const kind = textOf(input, 'kind');
      const sides = { debit: textOf(input, 'debit'), credit: textOf(input, 'credit'), amount: textOf(input, 'amount') };
      const isCorrection = kind === 'correction';
      if (Object.values(sides).some((side) => (side === undefined) === isCorrection)) {
        throw new Failure(exitCodes.usage, '--debit, --credit and --amount belong to --kind correction, all three');
      }
      const correction = isCorrection ? sides : undefined;
      const change = given({ resolution: textOf(input, 'resolution'), kind, correction });
      return showBreak((await context.billing().change(pathOf(input), change)).body, context);
    },
  },
  {
    name: 'breaks reopen',
    summary: 'Opens a resolved break again.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [idempotencyOption],
    examples: [
      {
        line: 'breaks reopen brk_2c1f…',
        output: example
          .replace('resolved', 'open')
          .replace('written off', '-')
          .replace(/posting .*/, 'posting     -'),
      },
    ],
    run: async (input, context) =>
      showBreak((await context.billing().change(pathOf(input), { resolution: null })).body, context),
  },
];

const lookMs = 500;

/** Asks for a run, and waits until it has ended. */
async function finished(
  client: ReturnType<Context['billing']>,
  { isFull }: { readonly isFull: boolean },
): Promise<{ readonly body: Row }> {
  const { body: asked } = await client.post('/reconciliations', isFull ? { scope: 'full' } : {});
  for (;;) {
    const answer = await client.get(`/reconciliations/${String(asked['id'])}`);
    if (answer.body['state'] === 'done') return answer;
    if (answer.body['state'] === 'failed') {
      throw new Failure(exitCodes.refused, `the run failed: ${String(answer.body['failure'])}`);
    }
    await new Promise((wake) => setTimeout(wake, lookMs));
  }
}

async function reconcile(input: Input, { billing, out }: Context): Promise<ExitCode> {
  const client = billing();
  const { body } = isSet(input, 'latest')
    ? await client.get('/reconciliations/latest')
    : await finished(client, { isFull: isSet(input, 'full') });
  const report = (body['report'] ?? {}) as Row;
  const entries = (report['entries'] ?? {}) as Row;
  const open = (Array.isArray(report['breaks']) ? report['breaks'] : []) as Row[];
  const unchecked = (Array.isArray(report['unchecked']) ? report['unchecked'] : []) as unknown[];
  const count = open.reduce((sum, one) => sum + Number(one['count']), 0);
  const complete = entries['complete'] === true;
  await out.record(body, [
    ['run', body['id']],
    ['started', body['startedAt']],
    ['finished', body['finishedAt']],
    ['entries', `${String(entries['good'])} good, ${String(entries['bad'])} bad, ${complete ? '' : 'not '}complete`],
    ['chain', ((report['chain'] ?? {}) as Row)['state']],
    ['open', count],
    ...(unchecked.length === 0 ? [] : ([['unchecked', unchecked]] as const)),
    ['digest', body['digest']],
  ]);
  if (open.length > 0) await out.table(open, openColumns);
  // What could not be checked is not known to be right.
  return count === 0 && complete && unchecked.length === 0 ? exitCodes.ok : exitCodes.finding;
}

/** Prints a break. */
export async function showBreak(found: Row, { out }: Context): Promise<undefined> {
  await out.record(found, fieldsOf(found));
}

/** Where the break is that the command names. */
export function pathOf(input: Input): string {
  return `/breaks/${idPath(argument(input))}`;
}

function fieldsOf(found: Row): readonly Field[] {
  const { amount, asset } = found;
  return [
    ['id', found['id']],
    ['class', found['class']],
    ['keys', found['keys']],
    ['severity', found['severity']],
    ['status', found['status']],
    ['side', found['side']],
    ['amount', amount === null ? null : `${cellText(amount)} ${cellText(asset)}`],
    ['detail', found['detail']],
    ['owner', found['owner']],
    ['due', found['dueOn']],
    ['note', found['note']],
    ['resolution', found['resolution']],
    ['posting', postingText(found['posting'])],
    ['proposal', postingText(found['proposal'])],
    ['first seen', found['firstSeen']],
    ['last seen', found['lastSeen']],
  ];
}

function postingText(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind, debit, credit } = value as Row;
  return debit === null ? cellText(kind) : `${cellText(kind)}: ${cellText(debit)} to ${cellText(credit)}`;
}
