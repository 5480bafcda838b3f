import { argument, type CommandSpec, type Context, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { outputOption, save } from './files.js';
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

const openAmount = (value: unknown): unknown => (value as Row | undefined)?.['amount'];
const walletColumns: readonly Column<Row>[] = [
  { heading: 'WALLET', cell: ({ wallet }) => wallet },
  { heading: 'NETWORK', cell: ({ network }) => network },
  { heading: 'ASSET', cell: ({ asset }) => asset },
  { heading: 'OPENING', cell: ({ opening }) => opening, alignsRight: true },
  { heading: 'CLOSING', cell: ({ closing }) => closing, alignsRight: true },
  { heading: 'UNEXPLAINED', cell: ({ unexplained }) => openAmount(unexplained), alignsRight: true },
];
const reportExample = `month          2026-11
digest         4b2c…
signed         2026-12-03T09:00:00.000Z by ann
changed since  no
WALLET  NETWORK      ASSET   OPENING    CLOSING  UNEXPLAINED
0x3c…   eip155:8453  USDC   0.000000  20.134456     0.000000`;

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
  {
    name: 'months report',
    summary: 'Prints what a month came to, wallet by wallet, with the digest that is signed.',
    speaks: 'billing',
    arguments: [monthArgument],
    options: [],
    examples: [{ line: 'months report 2026-11', output: reportExample }],
    run: async (input, context) =>
      showReport((await context.billing().get(`/months/${idPath(argument(input))}/report`)).body, context),
  },
  {
    name: 'months sign-off',
    summary: 'Answers for the figures of a month, by the digest of the report that was read.',
    speaks: 'billing',
    arguments: [monthArgument],
    options: [{ flags: '--digest <digest>', description: 'that of the report', required: true }, idempotencyOption],
    examples: [{ line: 'months sign-off 2026-11 --digest 4b2c…', output: reportExample }],
    run: async (input, context) => {
      const path = `/months/${idPath(argument(input))}/sign-off`;
      return showReport((await context.billing().post(path, { digest: textOf(input, 'digest') })).body, context);
    },
  },
  {
    name: 'months pack',
    summary: 'Writes the close pack of a month, one PDF: checklist, balances, invoices, cases, and who signed.',
    speaks: 'billing',
    arguments: [monthArgument],
    options: [{ ...outputOption, description: 'where to; default: keyfare-close-<month>.pdf' }],
    examples: [{ line: 'months pack 2026-11', output: 'file   keyfare-close-2026-11.pdf\nbytes  61240' }],
    run: async (input, context) => {
      const month = idPath(argument(input));
      const answer = await context.billing().stream(`/months/${month}/close-pack.pdf`, undefined, 'application/pdf');
      return save(answer, textOf(input, 'output') ?? `keyfare-close-${month}.pdf`, context);
    },
  },
];

/** Wallets with their figures, a row for each. */
async function showReport(report: Row, { out }: Context): Promise<undefined> {
  const signed = report['signedOff'] as Row | null;
  const operator = signed === null ? null : ((signed['operator'] ?? {}) as Row);
  await out.record(report, [
    ['month', report['month']],
    ['digest', report['digest']],
    ['signed', signed === null ? null : `${String(signed['at'])} by ${String(operator?.['name'])}`],
    ['changed since', signed === null ? null : signed['changedSinceSigned'] === true ? 'yes' : 'no'],
  ]);
  const wallets = (Array.isArray(report['wallets']) ? report['wallets'] : []) as Row[];
  if (wallets.length > 0) await out.table(wallets, walletColumns);
}

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
