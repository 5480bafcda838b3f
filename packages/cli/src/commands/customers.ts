import { argument, type CommandSpec, type Context, given, textOf } from '../command.js';
import { exitCodes } from '../exit-code.js';
import { Failure } from '../failure.js';
import type { Row } from '../http/client.js';
import type { Column } from '../terminal/table.js';
import { idempotencyOption, idPath, limitOf, limitOption, wholeNumber } from './lists.js';

const customer = '1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f';
const seller = '7a8b9c0d-1e2f-4a3b-8c4d-5e6f7a8b9c0d';
const contract = '9f8e7d6c-5b4a-4392-8817-263544536271';
const customerColumns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'NAME', cell: ({ legalName }) => legalName },
  { heading: 'COUNTRY', cell: ({ country }) => country },
  { heading: 'TAX ID', cell: ({ taxId }) => taxId },
  { heading: 'TAX CODE', cell: ({ taxCode }) => taxCode },
  { heading: 'DAYS', cell: ({ paymentDays }) => paymentDays, alignsRight: true },
];
const contractColumns: readonly Column<Row>[] = [
  { heading: 'ID', cell: ({ id }) => id },
  { heading: 'ACCOUNT', cell: ({ account }) => account },
  { heading: 'CUSTOMER', cell: ({ customerId }) => customerId },
  { heading: 'STARTS', cell: ({ startsAt }) => startsAt },
  { heading: 'ENDS', cell: ({ endsAt }) => endsAt },
  { heading: 'PERIODS', cell: ({ periodAnchor, timeZone }) => `${String(periodAnchor)}, ${String(timeZone)}` },
];
const example = `id        ${customer}
name      Acme GmbH
address   Gasse 1, 1010 Wien
country   AT
tax id    ATU12345678
tax code  AT
language  de-AT
days      14`;
const options = [
  { flags: '--name <text>', description: 'the legal name' },
  { flags: '--address <text>', description: 'the address' },
  { flags: '--country <code>', description: 'of ISO 3166-1, such as AT' },
  { flags: '--tax-id <id>', description: 'of the state' },
  { flags: '--tax-code <code>', description: 'of the rates of tax' },
  { flags: '--language <language>', description: 'such as de-AT' },
  { flags: '--currency <code>', description: 'of reporting, such as EUR' },
  { flags: '--payment-days <days>', description: 'how long after the invoice it is to be paid' },
  idempotencyOption,
];
const contractArgument = { name: 'contract', description: 'its id' };
const fromArgument = { name: 'from', description: 'an instant, such as 2026-12-01T00:00:00.000Z' };

/** Who is invoiced, and for what. */
export const customers: readonly CommandSpec[] = [
  {
    name: 'customers list',
    summary: 'Lists customers, the oldest first.',
    speaks: 'billing',
    options: [limitOption],
    examples: [
      {
        line: 'customers list',
        output: `ID                                    NAME       COUNTRY  TAX ID       TAX CODE  DAYS
${customer}  Acme GmbH  AT       ATU12345678  AT          14`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list('/customers', {}, limitOf(input)), customerColumns);
      return undefined;
    },
  },
  {
    name: 'customers add',
    summary: 'Adds a customer.',
    speaks: 'billing',
    options: options.map((option) => ({
      ...option,
      ...(/^--(?:name|address|language|currency|payment-days) /u.test(option.flags) && { required: true }),
    })),
    examples: [
      {
        line: "customers add --name 'Acme GmbH' --address 'Gasse 1, 1010 Wien' --country AT --tax-id ATU12345678 --tax-code AT --language de-AT --currency EUR --payment-days 14",
        output: example,
      },
    ],
    run: async (input, context) => show((await context.billing().post('/customers', fieldsOf(input))).body, context),
  },
  {
    name: 'customers change',
    summary: 'Changes what is known of a customer. Invoices that are final stay as they are.',
    speaks: 'billing',
    arguments: [{ name: 'customer', description: 'its id' }],
    options,
    examples: [{ line: `customers change ${customer} --payment-days 14`, output: example }],
    run: async (input, context) => {
      const change = fieldsOf(input);
      if (Object.keys(change).length === 0) throw new Failure(exitCodes.usage, 'name what is to change');
      return show((await context.billing().change(`/customers/${idPath(argument(input))}`, change)).body, context);
    },
  },
  {
    name: 'contracts list',
    summary: 'Lists which customer each account is invoiced to, and when.',
    speaks: 'billing',
    options: [limitOption],
    examples: [
      {
        line: 'contracts list',
        output: `ID                                    ACCOUNT           CUSTOMER                              STARTS                    ENDS  PERIODS
${contract}  acc_4f8c2k9q1m3n  ${customer}  2026-10-01T00:00:00.000Z  -     calendar, UTC`,
      },
    ],
    run: async (input, { billing, out }) => {
      await out.list(billing().list('/contracts', {}, limitOf(input)), contractColumns);
      return undefined;
    },
  },
  {
    name: 'contracts add',
    summary: 'Says to which customer an account is invoiced, and by which seller, from a time on.',
    speaks: 'billing',
    arguments: [
      { name: 'account', description: 'the id of the account' },
      { name: 'customer', description: 'the id of the customer' },
      { name: 'seller', description: 'the id of the seller' },
      fromArgument,
    ],
    options: [
      { flags: '--until <time>', description: 'an instant: it holds no longer' },
      {
        flags: '--periods <anchor>',
        description: 'calendar: its invoices are of months; anniversary: of months from its first day on',
      },
      { flags: '--time-zone <name>', description: 'whose days count, such as Europe/Berlin; UTC without it' },
      idempotencyOption,
    ],
    examples: [
      {
        line: `contracts add acc_4f8c2k9q1m3n ${customer} ${seller} 2026-10-01T00:00:00.000Z`,
        output: `id        ${contract}
account   acc_4f8c2k9q1m3n
customer  ${customer}
seller    ${seller}
starts    2026-10-01T00:00:00.000Z
ends      -
periods   calendar, UTC`,
      },
    ],
    run: async (input, { billing, out }) => {
      const [account, customerId, sellerId, startsAt] = [0, 1, 2, 3].map((index) => argument(input, index));
      const [endsAt, periodAnchor, timeZone] = ['until', 'periods', 'timeZone'].map((name) => textOf(input, name));
      const request = given({ account, customerId, sellerId, startsAt, endsAt, periodAnchor, timeZone });
      const { body } = await billing().post('/contracts', request);
      const periods = `${String(body['periodAnchor'])}, ${String(body['timeZone'])}`;
      await out.record(
        body,
        Object.entries({
          id: body['id'],
          account,
          customer: customerId,
          seller: sellerId,
          starts: body['startsAt'],
          ends: body['endsAt'],
          periods,
        }),
      );
      return undefined;
    },
  },
  {
    name: 'contracts price',
    summary: 'Sets the price of a unit beyond the plan, for calls that are made from a time on.',
    speaks: 'billing',
    arguments: [
      contractArgument,
      { name: 'product', description: 'its sku' },
      { name: 'price', description: 'in dollars, such as 0.0001; plan: the plan’s again' },
      fromArgument,
    ],
    options: [idempotencyOption],
    examples: [
      {
        line: `contracts price ${contract} forecast 0.0001 2026-12-01T00:00:00.000Z`,
        output: `product  forecast
price    0.000100
from     2026-12-01T00:00:00.000Z`,
      },
    ],
    run: async (input, { billing, out }) => {
      const [sku, price, validFrom] = [1, 2, 3].map((index) => argument(input, index));
      const request = { sku, unitPrice: price === 'plan' ? null : price, validFrom };
      const { body } = await billing().post(`/contracts/${idPath(argument(input))}/prices`, request);
      await out.record(body, Object.entries({ product: sku, price: body['unitPrice'], from: body['validFrom'] }));
      return undefined;
    },
  },
  {
    name: 'contracts commit',
    summary: 'Sets what the invoice of each month comes to at least, from a month on.',
    speaks: 'billing',
    arguments: [contractArgument, { name: 'amount', description: 'in dollars; 0: nothing' }, fromArgument],
    options: [idempotencyOption],
    examples: [
      {
        line: `contracts commit ${contract} 100 2026-12-01T00:00:00.000Z`,
        output: `amount  100.000000
from    2026-12-01T00:00:00.000Z`,
      },
    ],
    run: async (input, { billing, out }) => {
      const request = { amount: argument(input, 1), validFrom: argument(input, 2) };
      const { body } = await billing().post(`/contracts/${idPath(argument(input))}/commits`, request);
      await out.record(body, Object.entries({ amount: body['amount'], from: body['validFrom'] }));
      return undefined;
    },
  },
];

function fieldsOf(input: Parameters<CommandSpec['run']>[0]): Record<string, unknown> {
  const days = textOf(input, 'paymentDays');
  return given({
    legalName: textOf(input, 'name'),
    address: textOf(input, 'address'),
    country: textOf(input, 'country'),
    taxId: textOf(input, 'taxId'),
    taxCode: textOf(input, 'taxCode'),
    language: textOf(input, 'language'),
    reportingCurrency: textOf(input, 'currency'),
    paymentDays: days === undefined ? undefined : wholeNumber('--payment-days', days, { least: 0, most: 365 }),
  });
}

async function show(found: Row, { out }: Context): Promise<undefined> {
  const { id, legalName, address, country, taxId, taxCode, language, paymentDays } = found;
  await out.record(found, [
    ['id', id],
    ['name', legalName],
    ['address', address],
    ['country', country],
    ['tax id', taxId],
    ['tax code', taxCode],
    ['language', language],
    ['days', paymentDays],
  ]);
}
