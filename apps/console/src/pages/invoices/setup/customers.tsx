import { billing, ok, tagged } from '../../../api/client.js';
import { Day } from '../../../ui/values.js';
import type { Customer } from '../kinds.js';
import { type Kind, orNull, textOf, type Values } from './kind.js';

/** One contact a line: `Ann Example <ann@example.com>`, or the address alone. */
function contactsOf(text: string): Customer['contacts'] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [, name = '', email = line] = /^(.*?)\s*<([^<>]+)>$/.exec(line) ?? [];
      return { name: name === '' ? email : name, email };
    });
}

const bodyOf = (values: Values) => ({
  legalName: textOf(values, 'legalName'),
  address: textOf(values, 'address'),
  country: orNull(values['country'])?.toUpperCase() ?? null,
  taxId: orNull(values['taxId']),
  contacts: contactsOf(values['contacts'] ?? ''),
  language: textOf(values, 'language'),
  reportingCurrency: textOf(values, 'reportingCurrency'),
  paymentDays: Number(textOf(values, 'paymentDays')),
  taxCode: orNull(values['taxCode']),
});

/** Who is invoiced. */
export const customers: Kind<Customer> = {
  title: 'Customers',
  one: 'customer',
  says: 'A customer is who is invoiced. A contract says for which account.',
  key: 'billed-customers',
  columns: [
    { title: 'Name', text: ({ legalName }) => legalName, width: 'minmax(12rem, 2fr)' },
    { title: 'Tax id', text: ({ taxId }) => taxId ?? '' },
    { title: 'Code of tax', text: ({ taxCode }) => taxCode ?? '' },
    { title: 'Days to pay', text: ({ paymentDays }) => `${paymentDays}`, isNumber: true, width: '8rem' },
    { title: 'Language', text: ({ language }) => language, width: '7rem' },
    {
      title: 'Entered',
      text: ({ createdAt }) => createdAt,
      cell: ({ createdAt }) => <Day of={createdAt} />,
      width: '8rem',
    },
  ],
  fields: [
    { name: 'legalName', label: 'Legal name' },
    { name: 'address', label: 'Address', isMultiline: true },
    {
      name: 'country',
      label: 'Country',
      isOptional: true,
      hint: 'Two letters, such as AT. The e-invoice wants it.',
    },
    { name: 'taxId', label: 'Tax id', isOptional: true },
    {
      name: 'taxCode',
      label: 'Code of tax',
      isOptional: true,
      offers: 'tax-codes',
      hint: 'Of the tax rates. Without one its invoices have no tax.',
    },
    { name: 'paymentDays', label: 'Days to pay', hint: '0 to 365, from the day of the invoice.' },
    {
      name: 'contacts',
      label: 'Contacts',
      isMultiline: true,
      isOptional: true,
      hint: 'One a line: Ann Example <ann@example.com>.',
    },
    { name: 'language', label: 'Language', hint: 'Such as en or de-AT.' },
    { name: 'reportingCurrency', label: 'Reporting currency', hint: 'Three letters.' },
  ],
  fresh: { language: 'en', reportingCurrency: 'USD', paymentDays: '30' },
  read: async (cursor) => ok(billing.GET('/customers', { params: { query: cursor === undefined ? {} : { cursor } } })),
  valuesOf: (row) => ({
    ...row,
    country: row.country ?? '',
    taxId: row.taxId ?? '',
    taxCode: row.taxCode ?? '',
    paymentDays: `${row.paymentDays}`,
    contacts: row.contacts.map(({ name, email }) => `${name} <${email}>`).join('\n'),
  }),
  add: async (values) => ok(billing.POST('/customers', { body: bodyOf(values) })),
  change: async ({ id }, values) => {
    const { etag } = await tagged(billing.GET('/customers/{id}', { params: { path: { id } } }));
    return ok(
      billing.PATCH('/customers/{id}', {
        params: { path: { id } },
        headers: { 'if-match': etag },
        body: bodyOf(values),
      }),
    );
  },
  hrefOf: ({ id }) => `/invoices/customers/${id}`,
};
