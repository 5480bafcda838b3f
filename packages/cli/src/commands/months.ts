import { argument, type CommandSpec, type Context, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const monthArgument = { name: 'month', description: 'such as 2026-11' };
const columns: readonly Column<Row>[] = [
  { heading: 'MONTH', cell: ({ month }) => month },
  { heading: 'STATE', cell: ({ state }) => state },
  { heading: 'LOCKED', cell: ({ lockedAt }) => lockedAt },
  { heading: 'BY', cell: ({ lockedBy }) => lockedBy },
];
const pointColumns: readonly Column<Row>[] = [
  { heading: 'POINT', cell: ({ name }) => name },
  { heading: 'OK', cell: ({ ok }) => (ok === true ? 'yes' : 'no') },
  { heading: 'COUNT', cell: ({ count }) => count, alignsRight: true },
  { heading: 'DETAIL', cell: ({ detail }) => detail },
];
const example = `month   2026-11
state   locked
ready   no
locked  2026-12-03T09:00:00.000Z
by      ann
POINT   OK   COUNT  DETAIL
breaks  yes      0  Open breaks over the limit of the close.`;

/** The close of months. */
export const months: readonly CommandSpec[] = [
  {
    name: 'months list',
    summary: 'Lists the months of the books, the newest first.',
    speaks: 'billing',
    options: [limitOption],
    examples: [
      {
        line: 'months list',
        output: `MONTH    STATE   LOCKED                    BY
2026-12  open    -                         -
2026-11  locked  2026-12-03T09:00:00.000Z  ann`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list('/months', {}, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'months show',
    summary: 'Shows a month, and what stands in the way of its lock.',
    speaks: 'billing',
    arguments: [monthArgument],
    examples: [{ line: 'months show 2026-11', output: example }],
    run: async (input, context) =>
      showMonth((await context.billing().get(`/months/${idPath(argument(input))}`)).body, context),
  },
  {
    name: 'months lock',
    summary: 'Locks a month: nothing is dated into it from then on.',
    speaks: 'billing',
    arguments: [monthArgument],
    options: [idempotencyOption],
    examples: [{ line: 'months lock 2026-11', output: example }],
    run: async (input, context) =>
      showMonth((await context.billing().post(`/months/${idPath(argument(input))}/lock`)).body, context),
  },
  {
    name: 'months reopen',
    summary: 'Opens the last locked month again.',
    speaks: 'billing',
    arguments: [monthArgument],
    options: [{ flags: '--reason <text>', description: 'why, which is kept', required: true }, idempotencyOption],
    examples: [
      {
        line: "months reopen 2026-11 --reason 'a late invoice'",
        output: example.replace('locked', 'open').replace('2026-12-03T09:00:00.000Z', '-').replace('ann', '-'),
      },
    ],
    run: async (input, context) => {
      const body = { reason: textOf(input, 'reason') };
      return showMonth((await context.billing().post(`/months/${idPath(argument(input))}/reopen`, body)).body, context);
    },
  },
];

async function showMonth(month: Row, { out }: Context): Promise<undefined> {
  await out.record(month, [
    ['month', month['month']],
    ['state', month['state']],
    ['ready', month['ready'] === true ? 'yes' : 'no'],
    ['locked', month['lockedAt']],
    ['by', month['lockedBy']],
  ]);
  const points = month['checklist'];
  if (Array.isArray(points)) await out.table(points as Row[], pointColumns);
}
