import { argument, type CommandSpec, type Context, given, type Input, isSet, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Field } from '../terminal/output.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption, wholeNumber } from './lists.js';

const account = { name: 'account', description: 'the id of the account' };
const plan = '<slug[@version]>';

const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'NAME', cell: ({ name }) => name },
  { heading: 'PLAN', cell: (row) => planText(row) },
  { heading: 'STATUS', cell: ({ status }) => status },
  { heading: 'CREATED', cell: ({ createdAt }) => createdAt },
  { heading: 'ENDS', cell: ({ endsAt }) => endsAt },
];

const example = `id       acc_4f8c2k9q1m3n
name     Acme
plan     pro@1
status   active
created  2026-11-27T05:26:20.000Z
ends     -`;

/** Accounts. */
export const accounts: readonly CommandSpec[] = [
  {
    name: 'accounts list',
    summary: 'Lists accounts, the oldest first.',
    speaks: 'api',
    options: [
      { flags: '--status <status>', description: 'only these', choices: ['active', 'suspended', 'closed'] },
      { flags: '--plan <slug>', description: 'only those on this plan' },
      { flags: '--search <text>', description: 'only those whose name has this in it' },
      limitOption,
    ],
    examples: [
      {
        line: 'accounts list --status active',
        output: `ID                NAME  PLAN   STATUS  CREATED                   ENDS
acc_4f8c2k9q1m3n  Acme  pro@1  active  2026-11-27T05:26:20.000Z  -`,
      },
    ],
    run: async (input, { api, out }) => {
      const query = { status: textOf(input, 'status'), plan: textOf(input, 'plan'), search: textOf(input, 'search') };
      await out.list(api().list('/admin/accounts', query, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'accounts show',
    summary: 'Shows an account.',
    speaks: 'api',
    arguments: [account],
    examples: [{ line: 'accounts show acc_4f8c2k9q1m3n', output: example }],
    run: async (input, { api, out }) => {
      const { body } = await api().get(pathOf(input));
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
  {
    name: 'accounts create',
    summary: 'Opens an account on a plan.',
    speaks: 'api',
    arguments: [{ name: 'name', description: 'as invoices have it' }],
    options: [
      { flags: `--plan ${plan}`, description: 'its newest version, unless one is named', required: true },
      idempotencyOption,
    ],
    examples: [{ line: 'accounts create Acme --plan pro', output: example }],
    run: async (input, { api, out }) => {
      const { body } = await api().post('/admin/accounts', { name: argument(input), plan: planOf(input) });
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
  {
    name: 'accounts change',
    summary: 'Changes what is named of an account. A suspended one is served nothing until it is active again.',
    speaks: 'api',
    arguments: [account],
    options: [
      { flags: '--name <name>', description: 'as invoices have it' },
      { flags: `--plan ${plan}`, description: 'its newest version, unless one is named' },
      { flags: '--status <status>', description: 'whether it is served', choices: ['active', 'suspended'] },
      idempotencyOption,
    ],
    examples: [
      { line: 'accounts change acc_4f8c2k9q1m3n --status suspended', output: example.replace('active', 'suspended') },
    ],
    run: async (input, context) => {
      const change = given({ name: textOf(input, 'name'), plan: planOf(input), status: textOf(input, 'status') });
      if (Object.keys(change).length === 0) throw new Failure(exitCodes.usage, 'name what is to change');
      return patch(input, change, context);
    },
  },
  {
    name: 'accounts end',
    summary: 'Agrees on the end of an account: from then on nothing is sold to it. Or takes the end away.',
    speaks: 'api',
    arguments: [account],
    options: [
      { flags: '--at <time>', description: 'such as 2027-01-01T00:00:00Z' },
      { flags: '--never', description: 'takes the end away' },
      idempotencyOption,
    ],
    examples: [
      {
        line: 'accounts end acc_4f8c2k9q1m3n --at 2027-01-01T00:00:00Z',
        output: example.replace(/ends {5}-/, 'ends     2027-01-01T00:00:00.000Z'),
      },
    ],
    run: async (input, context) => {
      const at = textOf(input, 'at');
      if ((at === undefined) !== isSet(input, 'never')) {
        throw new Failure(exitCodes.usage, 'say either --at <time> or --never');
      }
      return patch(input, { endsAt: at ?? null }, context);
    },
  },
  {
    name: 'accounts close',
    summary: 'Closes an account for good: nothing is served from now on, its keys are dead, its last invoice is due.',
    speaks: 'api',
    arguments: [account],
    options: [idempotencyOption],
    examples: [{ line: 'accounts close acc_4f8c2k9q1m3n', output: example.replace('active', 'closed') }],
    run: async (input, { api, out }) => {
      const { body } = await api().post(`${pathOf(input)}/close`);
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
  {
    name: 'accounts usage',
    summary: "Shows a month's counter of an account.",
    speaks: 'api',
    arguments: [account],
    options: [{ flags: '--month <month>', description: 'such as 2026-11; default: the running one' }],
    examples: [
      {
        line: 'accounts usage acc_4f8c2k9q1m3n --month 2026-11',
        output: `account  acc_4f8c2k9q1m3n
month    2026-11
used     5120
limit    -`,
      },
    ],
    run: async (input, { api, out }) => {
      const { body } = await api().get(`${pathOf(input)}/usage`, { month: textOf(input, 'month') });
      const { account: id, month, used, limit } = body;
      await out.record(body, Object.entries({ account: id, month, used, limit }));
      return undefined;
    },
  },
];

async function patch(input: Input, change: object, { api, out }: Context): Promise<undefined> {
  const { body } = await api().change(pathOf(input), change);
  await out.record(body, fieldsOf(body));
}

function pathOf(input: Input): string {
  return `/admin/accounts/${idPath(argument(input))}`;
}

/** `pro` or `pro@2`, as the API takes it. */
function planOf(input: Input): string | { slug: string; version: number } | undefined {
  const [slug, version] = textOf(input, 'plan')?.split('@', 2) ?? [];
  if (slug === undefined || version === undefined) return slug;
  return { slug, version: wholeNumber('the version in --plan', version, { least: 1, most: 2_147_483_647 }) };
}

function planText({ plan: agreed }: Row): string {
  const { slug, version } = (agreed ?? {}) as Row;
  return `${String(slug)}@${String(version)}`;
}

function fieldsOf(row: Row): readonly Field[] {
  return [
    ['id', row['id']],
    ['name', row['name']],
    ['plan', planText(row)],
    ['status', row['status']],
    ['created', row['createdAt']],
    ['ends', row['endsAt']],
  ];
}
