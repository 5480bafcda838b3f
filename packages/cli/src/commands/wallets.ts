import { argument, type CommandSpec, type Context, type Input, textOf } from '../command.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption } from './lists.js';

const kinds = ['till', 'treasury', 'settler', 'service', 'other'];
const addressArgument = { name: 'address', description: 'such as 0x209693bc6afc0c5328ba36faf03c514ef312287c' };
const kindText = 'what it is to us: till, treasury and settler are ours, service another service’s';
const sinceText = 'an instant; what it moved before is none of ours';
const columns: readonly Column<Row>[] = [
  { heading: 'ADDRESS', cell: ({ address }) => address },
  { heading: 'KIND', cell: ({ kind }) => kind },
  { heading: 'LABEL', cell: ({ label }) => label },
  { heading: 'BY', cell: ({ addedBy }) => addedBy },
  { heading: 'APPLIED', cell: ({ applied }) => (applied === true ? 'yes' : 'no') },
];
const example = `address  0x209693bc6afc0c5328ba36faf03c514ef312287c
network  eip155:8453
kind     treasury
label    Cold store
since    1970-01-01T00:00:00.000Z
by       ann
applied  yes`;

/** The wallets that are known. */
export const wallets: readonly CommandSpec[] = [
  {
    name: 'wallets list',
    summary: 'Lists the wallets that have a name, by address.',
    speaks: 'billing',
    options: [{ flags: '--kind <kind>', description: 'of this kind only', choices: kinds }, limitOption],
    examples: [
      {
        line: 'wallets list',
        output: `ADDRESS                                     KIND      LABEL       BY   APPLIED
0x209693bc6afc0c5328ba36faf03c514ef312287c  treasury  Cold store  ann  yes`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list('/wallets', { kind: textOf(input, 'kind') }, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'wallets show',
    summary: 'Shows a wallet, and whether what was booked before it had its name stands where it belongs.',
    speaks: 'billing',
    arguments: [addressArgument],
    examples: [{ line: 'wallets show 0x209693bc6afc0c5328ba36faf03c514ef312287c', output: example }],
    run: async (input, context) => show((await context.billing().get(pathOf(input))).body, context),
  },
  {
    name: 'wallets add',
    summary: 'Gives a wallet a name: it is followed, if it is ours, and no longer a stranger.',
    speaks: 'billing',
    arguments: [addressArgument, { name: 'kind', description: kindText, choices: kinds }],
    options: [
      { flags: '--label <text>', description: 'what people call it', required: true },
      { flags: '--since <time>', description: sinceText },
      idempotencyOption,
    ],
    examples: [
      {
        line: "wallets add 0x209693bc6afc0c5328ba36faf03c514ef312287c treasury --label 'Cold store'",
        output: example.replace('yes', 'no'),
      },
    ],
    run: async (input, context) => {
      const given = { address: argument(input), kind: argument(input, 1), label: textOf(input, 'label') };
      const since = textOf(input, 'since');
      const { body } = await context.billing().post('/wallets', { ...given, ...(since !== undefined && { since }) });
      return show(body, context);
    },
  },
  {
    name: 'wallets change',
    summary: 'Changes what a wallet is. What was booked is moved by the next look at the chain.',
    speaks: 'billing',
    arguments: [addressArgument],
    options: [
      { flags: '--kind <kind>', description: kindText, choices: kinds },
      { flags: '--label <text>', description: 'what people call it' },
      { flags: '--since <time>', description: sinceText },
      idempotencyOption,
    ],
    examples: [
      {
        line: 'wallets change 0x209693bc6afc0c5328ba36faf03c514ef312287c --kind other',
        output: example.replace('treasury', 'other').replace('yes', 'no'),
      },
    ],
    run: async (input, context) => {
      const given = ['kind', 'label', 'since'].flatMap((name) => {
        const text = textOf(input, name);
        return text === undefined ? [] : [[name, text] as const];
      });
      return show((await context.billing().change(pathOf(input), Object.fromEntries(given))).body, context);
    },
  },
];

function pathOf(input: Input): string {
  return `/wallets/${idPath(argument(input))}`;
}

async function show(wallet: Row, { out }: Context): Promise<undefined> {
  await out.record(wallet, [
    ['address', wallet['address']],
    ['network', wallet['network']],
    ['kind', wallet['kind']],
    ['label', wallet['label']],
    ['since', wallet['since']],
    ['by', wallet['addedBy']],
    ['applied', wallet['applied'] === true ? 'yes' : 'no'],
  ]);
}
