import { argument, type CommandSpec, type Context, given, isSet, textOf, textsOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Field } from '../terminal/output.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption, wholeNumber } from './lists.js';

const account = { name: 'account', description: 'the id of the account' };
const keyId = { name: 'key', description: 'the id of the key' };

const columns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'NAME', cell: ({ name }) => name },
  { heading: 'ENVIRONMENT', cell: ({ environment }) => environment },
  { heading: 'SCOPES', cell: ({ scopes }) => scopes },
  { heading: 'SECRETS', cell: secretsText },
  { heading: 'EXPIRES', cell: ({ expiresAt }) => expiresAt },
  { heading: 'REVOKED', cell: ({ revokedAt }) => revokedAt },
];

const example = `id           key_9sK2mVq0
account      acc_4f8c2k9q1m3n
name         default
environment  test
scopes       -
secrets      …x7Qd active
created      2026-11-27T05:26:21.000Z
expires      -
revoked      -`;
const issued = `${example}
secret       kf_test_9sK2mVq0_Jd0f…_0aB1cD`;

/** API keys. */
export const keys: readonly CommandSpec[] = [
  {
    name: 'keys list',
    summary: 'Lists the keys of an account, the oldest first.',
    speaks: 'api',
    arguments: [account],
    options: [limitOption],
    examples: [
      {
        line: 'keys list acc_4f8c2k9q1m3n',
        output: `ID            NAME     ENVIRONMENT  SCOPES  SECRETS       EXPIRES  REVOKED
key_9sK2mVq0  default  test         -       …x7Qd active  -        -`,
      },
    ],
    run: async (input, { api, out }) => {
      await out.list(api().list(`/admin/accounts/${idPath(argument(input))}/keys`, {}, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'keys show',
    summary: 'Shows a key; its secret is stored nowhere.',
    speaks: 'api',
    arguments: [keyId],
    examples: [{ line: 'keys show key_9sK2mVq0', output: example }],
    run: async (input, { api, out }) => {
      const { body } = await api().get(`/admin/keys/${idPath(argument(input))}`);
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
  {
    name: 'keys create',
    summary: 'Issues a key to an account. Its secret is shown now and never again.',
    speaks: 'api',
    arguments: [account],
    options: [
      { flags: '--name <name>', description: 'to tell it from others; default: default' },
      { flags: '--scope <sku...>', description: 'what it may buy; without any: everything' },
      { flags: '--expires-at <time>', description: 'such as 2027-01-01T00:00:00Z; default: never' },
      idempotencyOption,
    ],
    examples: [{ line: 'keys create acc_4f8c2k9q1m3n', output: issued }],
    run: async (input, context) => {
      const body = given({
        name: textOf(input, 'name'),
        scopes: textsOf(input, 'scope'),
        expiresAt: textOf(input, 'expiresAt'),
      });
      return showIssued(await context.api().post(`/admin/accounts/${idPath(argument(input))}/keys`, body), context);
    },
  },
  {
    name: 'keys rotate',
    summary:
      'Gives a key a new secret; id, meter and scopes stay. The old one lives on for a while after the new one is first used.',
    speaks: 'api',
    arguments: [keyId],
    options: [
      { flags: '--grace-seconds <seconds>', description: 'for so long; default: 86400, a day' },
      { flags: '--replace-pending', description: 'replaces a secret that was rotated in before and never used' },
      idempotencyOption,
    ],
    examples: [{ line: 'keys rotate key_9sK2mVq0 --grace-seconds 3600', output: issued }],
    run: async (input, context) => {
      const path = `/admin/keys/${idPath(argument(input))}`;
      const grace = textOf(input, 'graceSeconds');
      const body = given({
        graceSeconds:
          grace === undefined ? undefined : wholeNumber('--grace-seconds', grace, { least: 0, most: 2_592_000 }),
      });
      const api = context.api();
      const { etag } = isSet(input, 'replacePending') ? await api.get(path) : { etag: null };
      const headers: Readonly<Record<string, string>> = etag === null ? {} : { 'if-match': etag };
      return showIssued(await api.post(`${path}/rotate`, body, headers), context);
    },
  },
  {
    name: 'keys revoke',
    summary: 'Revokes a key: every process refuses it within a second.',
    speaks: 'api',
    arguments: [keyId],
    options: [idempotencyOption],
    examples: [
      {
        line: 'keys revoke key_9sK2mVq0',
        output: example.replace(/revoked {6}-/, 'revoked      2026-11-27T06:00:00.000Z'),
      },
    ],
    run: async (input, { api, out }) => {
      const { body } = await api().post(`/admin/keys/${idPath(argument(input))}/revoke`);
      await out.record(body, fieldsOf(body));
      return undefined;
    },
  },
];

async function showIssued({ body }: { readonly body: Row }, { out }: Context): Promise<undefined> {
  await out.record(body, [...fieldsOf(body['key'] as Row), ['secret', body['secret']]]);
  out.note('The secret is shown now and never again.');
}

function secretsText({ secrets }: Row): readonly string[] {
  return Array.isArray(secrets)
    ? (secrets as Row[]).map(({ lastFour, state }) => `…${String(lastFour)} ${String(state)}`)
    : [];
}

function fieldsOf(key: Row): readonly Field[] {
  return [
    ['id', key['id']],
    ['account', key['account']],
    ['name', key['name']],
    ['environment', key['environment']],
    ['scopes', key['scopes']],
    ['secrets', secretsText(key)],
    ['created', key['createdAt']],
    ['expires', key['expiresAt']],
    ['revoked', key['revokedAt']],
  ];
}
