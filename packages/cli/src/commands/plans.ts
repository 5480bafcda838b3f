import { argument, type CommandSpec, type Context, given, type Input, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Field } from '../terminal/output.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, limitOf, limitOption, wholeNumber } from './lists.js';

const slug = { name: 'slug', description: 'the name of the plan: lower-case letters, digits and -' };
const overages = ['reject', 'invoice', 'x402'];
const dollars = 'dollars with at most six decimals, such as $0.0005 or 0.0005';
const termOptions = [
  { flags: '--overage-price <dollars>', description: `of one unit, where overage is sold: ${dollars}` },
  { flags: '--monthly-price <dollars>', description: dollars },
];
/** So many versions of plans are looked through for one by its slug. */
const mostVersions = 20_000;

const columns: readonly Column<Row>[] = [
  { heading: 'SLUG', cell: ({ slug: name }) => name },
  { heading: 'VERSION', cell: ({ version }) => version, alignsRight: true },
  { heading: 'INCLUDED', cell: ({ includedUnits }) => includedUnits, alignsRight: true },
  { heading: 'OVERAGE', cell: ({ overage }) => overage },
  { heading: 'OVERAGE PRICE', cell: ({ overagePrice }) => overagePrice, alignsRight: true },
  { heading: 'MONTHLY PRICE', cell: ({ monthlyPrice }) => monthlyPrice, alignsRight: true },
];

const example = `slug           pro
version        1
included       100000
overage        invoice
overage price  $0.000500
monthly price  $49.000000
id             pln_7Qm2x0pVb1`;

/** Plans. */
export const plans: readonly CommandSpec[] = [
  {
    name: 'plans list',
    summary: 'Lists every version of every plan.',
    speaks: 'api',
    options: [limitOption],
    examples: [
      {
        line: 'plans list',
        output: `SLUG  VERSION  INCLUDED  OVERAGE  OVERAGE PRICE  MONTHLY PRICE
free        1      1000  reject               -      $0.000000
pro         1    100000  invoice      $0.000500     $49.000000`,
      },
    ],
    run: async (input, { api, out }) => {
      await out.list(api().list('/admin/plans', {}, limitOf(input)), columns);
      return undefined;
    },
  },
  {
    name: 'plans show',
    summary: 'Shows the newest version of a plan.',
    speaks: 'api',
    arguments: [slug],
    examples: [{ line: 'plans show pro', output: example }],
    run: async (input, context) => {
      const plan = await newest(context, argument(input));
      await context.out.record(plan, fieldsOf(plan));
      return undefined;
    },
  },
  {
    name: 'plans create',
    summary: 'Makes a plan. Of a slug that is taken it makes the next version; accounts stay on the one they have.',
    speaks: 'api',
    arguments: [slug],
    options: [
      { flags: '--included-units <units>', description: 'that are in the monthly price', required: true },
      { flags: '--overage <how>', description: 'what becomes of calls beyond them', choices: overages, required: true },
      ...termOptions,
      idempotencyOption,
    ],
    examples: [
      {
        line: 'plans create pro --included-units 100000 --overage invoice --overage-price 0.0005 --monthly-price 49',
        output: example,
      },
    ],
    run: async (input, context) => post(context, { slug: argument(input), ...termsOf(input) }),
  },
  {
    name: 'plans change',
    summary: 'Makes the next version of a plan: as the newest, but for what is named.',
    speaks: 'api',
    arguments: [slug],
    options: [
      { flags: '--included-units <units>', description: 'that are in the monthly price' },
      { flags: '--overage <how>', description: 'what becomes of calls beyond them', choices: overages },
      ...termOptions,
      idempotencyOption,
    ],
    examples: [
      { line: 'plans change pro --monthly-price 59', output: example.replace('49.', '59.').replace(' 1\n', ' 2\n') },
    ],
    run: async (input, context) => {
      const { slug: name, includedUnits, overage, overagePrice, monthlyPrice } = await newest(context, argument(input));
      const before = { slug: name, includedUnits: Number(includedUnits), overage, overagePrice, monthlyPrice };
      const { overagePrice: price, ...after } = { ...before, ...termsOf(input) };
      // Where overage is not sold any longer its price goes with it.
      return post(context, {
        ...after,
        ...(after.overage === 'reject' || price === null ? {} : { overagePrice: price }),
      });
    },
  },
];

async function post({ api, out }: Context, body: object): Promise<undefined> {
  const { body: plan } = await api().post('/admin/plans', body);
  await out.record(plan, fieldsOf(plan));
}

async function newest({ api }: Context, name: string): Promise<Row> {
  let found: Row | undefined;
  for await (const { items } of api().list('/admin/plans', {}, mostVersions)) {
    for (const plan of items) {
      if (plan['slug'] === name && Number(plan['version']) > Number(found?.['version'] ?? 0)) found = plan;
    }
  }
  if (found === undefined) throw new Failure(exitCodes.conflict, `there is no plan ${name}`);
  return found;
}

function termsOf(input: Input): Record<string, unknown> {
  const units = textOf(input, 'includedUnits');
  return given({
    includedUnits:
      units === undefined
        ? undefined
        : wholeNumber('--included-units', units, { least: 0, most: Number.MAX_SAFE_INTEGER }),
    overage: textOf(input, 'overage'),
    overagePrice: dollarsOf(textOf(input, 'overagePrice')),
    monthlyPrice: dollarsOf(textOf(input, 'monthlyPrice')),
  });
}

/** As the API spells it. What is no price is refused there. */
function dollarsOf(text: string | undefined): string | undefined {
  return text === undefined || text.startsWith('$') ? text : `$${text}`;
}

function fieldsOf(plan: Row): readonly Field[] {
  return [
    ['slug', plan['slug']],
    ['version', plan['version']],
    ['included', plan['includedUnits']],
    ['overage', plan['overage']],
    ['overage price', plan['overagePrice']],
    ['monthly price', plan['monthlyPrice']],
    ['id', plan['id']],
  ];
}
