import { argument, type CommandSpec, type Context, type Input } from '../command.js';
import type { Row } from '../http/client.js';
import { type Column, cellText } from '../terminal/table.js';
import { breakArgument, pathOf, showBreak } from './books.js';
import { idempotencyOption, limitOf, limitOption } from './lists.js';

const eventColumns: readonly Column<Row>[] = [
  { heading: 'AT', cell: ({ at }) => at },
  { heading: 'WHAT', cell: ({ what }) => what },
  { heading: 'OPERATOR', cell: ({ operator }) => nameOf(operator) },
  { heading: 'AMOUNT', cell: ({ amount }) => amount, alignsRight: true },
  { heading: 'TEXT', cell: ({ text }) => text },
];
const commentColumns: readonly Column<Row>[] = [
  { heading: 'AT', cell: ({ at }) => at },
  { heading: 'OPERATOR', cell: ({ operator }) => nameOf(operator) },
  { heading: 'TEXT', cell: ({ text }) => text },
];
const decided = `id          brk_2c1f…
class       unknown-inbound
severity    low
status      resolved
resolution  a gift`;

/** The work on a break. */
export const cases: readonly CommandSpec[] = [
  {
    name: 'breaks approve',
    summary: 'Posts the resolution of a break that another operator proposed.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [idempotencyOption],
    examples: [{ line: 'breaks approve brk_2c1f…', output: decided }],
    run: async (input, context) => decide(input, context, 'approve'),
  },
  {
    name: 'breaks reject',
    summary: 'Takes the proposed resolution of a break back.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [idempotencyOption],
    examples: [{ line: 'breaks reject brk_2c1f…', output: decided.replace('resolved', 'open').replace('a gift', '-') }],
    run: async (input, context) => decide(input, context, 'reject'),
  },
  {
    name: 'breaks comment',
    summary: 'Says something of a break. Comments stay.',
    speaks: 'billing',
    arguments: [breakArgument, { name: 'text', description: 'what is to be said' }],
    options: [idempotencyOption],
    examples: [
      {
        line: "breaks comment brk_2c1f… 'asked the customer'",
        output: `at        2026-11-27T05:30:00.000Z
operator  ann
text      asked the customer`,
      },
    ],
    run: async (input, { billing, out }) => {
      const { body } = await billing().post(`${pathOf(input)}/comments`, { text: argument(input, 1) });
      await out.record(body, [
        ['at', body['at']],
        ['operator', nameOf(body['operator'])],
        ['text', body['text']],
      ]);
      return undefined;
    },
  },
  {
    name: 'breaks comments',
    summary: 'Lists what was said of a break, the oldest first.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [limitOption],
    examples: [
      {
        line: 'breaks comments brk_2c1f…',
        output: `AT                        OPERATOR  TEXT
2026-11-27T05:30:00.000Z  ann       asked the customer`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list(`${pathOf(input)}/comments`, {}, limitOf(input)), commentColumns);
      return undefined;
    },
  },
  {
    name: 'breaks history',
    summary: 'Lists what became of a break, the oldest first. What has no operator a reconciliation did.',
    speaks: 'billing',
    arguments: [breakArgument],
    options: [limitOption],
    examples: [
      {
        line: 'breaks history brk_2c1f…',
        output: `AT                        WHAT      OPERATOR    AMOUNT  TEXT
2026-11-27T05:30:00.000Z  resolved  ann       0.001000  written off`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list(`${pathOf(input)}/events`, {}, limitOf(input)), eventColumns);
      return undefined;
    },
  },
];

/** For the version that is shown now, and no other. */
async function decide(input: Input, context: Context, verdict: 'approve' | 'reject'): Promise<undefined> {
  const client = context.billing();
  const { etag } = await client.get(pathOf(input));
  const { body } = await client.post(`${pathOf(input)}/${verdict}`, undefined, { 'if-match': etag ?? '*' });
  await showBreak(body, context);
}

function nameOf(operator: unknown): string | null {
  return typeof operator === 'object' && operator !== null ? cellText((operator as Row)['name']) : null;
}
