import { argument, type CommandSpec, given, textOf, textsOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Field } from '../terminal/output.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'NAME', cell: ({ name }) => name },
  { heading: 'SCOPES', cell: ({ scopes }) => scopes },
  { heading: 'TOKEN', cell: ({ lastFour }) => `…${String(lastFour)}` },
  { heading: 'EXPIRES', cell: ({ expiresAt }) => expiresAt },
  { heading: 'REVOKED', cell: ({ revokedAt }) => revokedAt },
];
const auditColumns: readonly Column<Row>[] = [
  { heading: 'AT', cell: ({ at }) => at },
  { heading: 'OPERATOR', cell: ({ operator }) => (operator as Row | undefined)?.['name'] },
  { heading: 'ACTION', cell: ({ action }) => action },
  { heading: 'SUBJECT', cell: ({ subject }) => subject },
  { heading: 'REQUEST', cell: ({ requestId }) => requestId },
];
const example = `id       op_5Gk2mVq0x7Qd
name     ann
scopes   read, write, money
token    …0aB1
expires  2027-02-25T05:26:20.000Z
revoked  -`;

const auditOptions = [
  { flags: '--operator <operator>', description: 'only what this one did' },
  { flags: '--subject <id>', description: 'only what was done to this' },
  { flags: '--action <action>', description: 'only this, such as account.close' },
  limitOption,
];
const auditExample = (
  action: string,
): string => `AT                        OPERATOR  ACTION         SUBJECT           REQUEST
2026-11-27T05:26:20.000Z  ann       ${action.padEnd(13)}  acc_4f8c2k9q1m3n  5b1b8a5e-2f0c-4f1a-9f0e-7d6c5b4a3928`;

/** Those who run the service, and what they did. */
export const operators: readonly CommandSpec[] = [
  {
    name: 'operators list',
    summary: 'Lists those who run the service.',
    speaks: 'api',
    options: [limitOption],
    examples: [
      {
        line: 'operators list',
        output: `ID               NAME  SCOPES              TOKEN  EXPIRES                   REVOKED
op_5Gk2mVq0x7Qd  ann   read, write, money  …0aB1  2027-02-25T05:26:20.000Z  -`,
      },
    ],
    run: async (input, { api, out }) => {
      await out.list(api().list('/admin/operators', {}, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'operators self',
    summary: 'Shows whose token this is.',
    speaks: 'api',
    examples: [{ line: 'operators self', output: example }],
    run: async (_input, { api, out }) => {
      const { body } = await api().get('/admin/operators/self');
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
  {
    name: 'operators create',
    summary: 'Makes an operator. The token is shown now and never again. The bootstrap token makes the first one.',
    speaks: 'api',
    arguments: [{ name: 'name', description: 'of the person or the program' }],
    options: [
      { flags: '--scope <scope...>', description: 'what it may do: read, write, money', required: true },
      { flags: '--expires-at <time>', description: 'default: in 90 days' },
      idempotencyOption,
    ],
    examples: [
      { line: 'operators create ann --scope read write money', output: `${example}\ntoken    kfo_5Gk2mVq0x7Qd_…` },
    ],
    run: async (input, { api, out }) => {
      const request = given({
        name: argument(input),
        scopes: textsOf(input, 'scope'),
        expiresAt: textOf(input, 'expiresAt'),
      });
      const { body } = await api().post('/admin/operators', request);
      if (typeof body['token'] !== 'string') throw new Failure(exitCodes.finding, 'the answer has no token');
      await out.record(body, [...fieldsOf(body['operator'] as Row), ['token', body['token']]]);
      out.note('The token is shown now and never again.');
      return undefined;
    },
  },
  {
    name: 'operators revoke',
    summary: "Ends an operator's token for good, in both programs, at once.",
    speaks: 'api',
    arguments: [{ name: 'operator', description: 'the id of the operator' }],
    options: [idempotencyOption],
    examples: [
      {
        line: 'operators revoke op_5Gk2mVq0x7Qd',
        output: example.replace(/revoked {2}-/, 'revoked  2026-11-27T06:00:00.000Z'),
      },
    ],
    run: async (input, { api, out }) => {
      const { body } = await api().post(`/admin/operators/${idPath(argument(input))}/revoke`);
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
  audit({ name: 'audit api', summary: 'Lists who changed what, the newest first.', action: 'account.open' }),
  audit({
    name: 'audit billing',
    summary: 'Lists who changed what in the books, the newest first.',
    action: 'break.change',
  }),
];

function audit({ name, summary, action }: Readonly<Record<'name' | 'summary' | 'action', string>>): CommandSpec {
  const isApi = name === 'audit api';
  return {
    name,
    summary,
    speaks: isApi ? 'api' : 'billing',
    options: auditOptions,
    examples: [{ line: `${name} --action ${action}`, output: auditExample(action) }],
    run: async (input, { api, billing, out }) => {
      const query = Object.fromEntries(['operator', 'subject', 'action'].map((one) => [one, textOf(input, one)]));
      const list = isApi
        ? api().list('/admin/audit', query, limitOf(input))
        : billing().list('/audit', query, limitOf(input));
      await out.list(list, auditColumns);
      return undefined;
    },
  };
}

function fieldsOf(operator: Row): readonly Field[] {
  return [
    ['id', operator['id']],
    ['name', operator['name']],
    ['scopes', operator['scopes']],
    ['token', `…${String(operator['lastFour'])}`],
    ['expires', operator['expiresAt']],
    ['revoked', operator['revokedAt']],
  ];
}
