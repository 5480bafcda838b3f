import { billing, ok, tagged } from '../../../api/client.js';
import { Day } from '../../../ui/values.js';
import type { BankAccount } from '../kinds.js';
import { type Kind, orNull, textOf, type Values } from './kind.js';

type Mapping = BankAccount['mapping'];

const dateFormats = [
  'YYYY-MM-DD',
  'DD.MM.YYYY',
  'DD/MM/YYYY',
  'MM/DD/YYYY',
  'DD-MM-YYYY',
  'DD.MM.YY',
  'YYYY/MM/DD',
  'YYYYMMDD',
] as const satisfies readonly Mapping['dateFormat'][];

function bodyOf(values: Values) {
  const separator = orNull(values['separator']);
  return {
    name: textOf(values, 'name'),
    iban: orNull(values['iban'])?.replaceAll(' ', '') ?? null,
    mapping: {
      decimal: values['decimal'] as Mapping['decimal'],
      dateFormat: values['dateFormat'] as Mapping['dateFormat'],
      skipLines: Number(textOf(values, 'skipLines')),
      bookedOn: textOf(values, 'bookedOn'),
      reference: textOf(values, 'reference')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== ''),
      separator: separator as Mapping['separator'],
      amount: orNull(values['amount']),
      credit: orNull(values['credit']),
      debit: orNull(values['debit']),
      payer: orNull(values['payer']),
      currency: orNull(values['currency']),
      bankReference: orNull(values['bankReference']),
    },
  };
}

/** Where payments come in, and how the bank writes its statements. */
export const bankAccounts: Kind<BankAccount> = {
  title: 'Bank accounts',
  one: 'bank account',
  says: 'How a statement is read: the names of the columns are those in its header.',
  key: 'bank-accounts',
  columns: [
    { title: 'Name', text: ({ name }) => name, width: 'minmax(12rem, 2fr)' },
    { title: 'IBAN', text: ({ iban }) => iban ?? '', width: '16rem' },
    { title: 'Currency', text: ({ currency }) => currency, width: '7rem' },
    { title: 'Dates', text: ({ mapping }) => mapping.dateFormat, width: '8rem' },
    { title: 'Decimal', text: ({ mapping }) => mapping.decimal, width: '7rem' },
    {
      title: 'Entered',
      text: ({ createdAt }) => createdAt,
      cell: ({ createdAt }) => <Day of={createdAt} />,
      width: '8rem',
    },
  ],
  fields: [
    { name: 'name', label: 'Name' },
    { name: 'iban', label: 'IBAN', isOptional: true },
    { name: 'dateFormat', label: 'Dates are written', choices: dateFormats.map((id) => ({ id, label: id })) },
    {
      name: 'decimal',
      label: 'Decimals after a',
      choices: [
        { id: 'point', label: 'point: 1,234.50' },
        { id: 'comma', label: 'comma: 1.234,50' },
      ],
    },
    {
      name: 'separator',
      label: 'Columns are parted by',
      choices: [
        { id: '', label: 'what is found' },
        { id: 'comma', label: 'comma' },
        { id: 'semicolon', label: 'semicolon' },
        { id: 'tab', label: 'tab' },
      ],
    },
    { name: 'skipLines', label: 'Lines before the header' },
    { name: 'bookedOn', label: 'Column of the day' },
    {
      name: 'amount',
      label: 'Column of the signed amount',
      isOptional: true,
      hint: 'Or, in its place, the two below.',
    },
    { name: 'credit', label: 'Column of what came in', isOptional: true },
    { name: 'debit', label: 'Column of what went out', isOptional: true },
    { name: 'payer', label: 'Column of the payer', isOptional: true },
    { name: 'reference', label: 'Columns of the reference', isMultiline: true, hint: 'One a line, up to five.' },
    { name: 'currency', label: 'Column of the currency', isOptional: true },
    { name: 'bankReference', label: "Column of the bank's own id", isOptional: true },
  ],
  fresh: { dateFormat: 'YYYY-MM-DD', decimal: 'point', separator: '', skipLines: '0' },
  read: async (cursor) =>
    ok(billing.GET('/bank-accounts', { params: { query: cursor === undefined ? {} : { cursor } } })),
  valuesOf: ({ name, iban, mapping }) => ({
    name,
    iban: iban ?? '',
    ...Object.fromEntries(
      Object.entries(mapping).map(([column, value]) => [
        column,
        Array.isArray(value) ? value.join('\n') : `${value ?? ''}`,
      ]),
    ),
  }),
  add: async (values) => ok(billing.POST('/bank-accounts', { body: { ...bodyOf(values), currency: 'USD' } })),
  change: async ({ id }, values) => {
    const { etag } = await tagged(billing.GET('/bank-accounts/{id}', { params: { path: { id } } }));
    return ok(
      billing.PATCH('/bank-accounts/{id}', {
        params: { path: { id } },
        headers: { 'if-match': etag },
        body: bodyOf(values),
      }),
    );
  },
};
