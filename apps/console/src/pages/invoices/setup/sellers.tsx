import { billing, ok, tagged } from '../../../api/client.js';
import { Day, Id } from '../../../ui/values.js';
import type { Seller } from '../kinds.js';
import { type Kind, orNull, textOf, type Values } from './kind.js';

const bodyOf = (values: Values) => ({
  legalName: textOf(values, 'legalName'),
  address: textOf(values, 'address'),
  country: orNull(values['country'])?.toUpperCase() ?? null,
  taxId: orNull(values['taxId']),
  payTo: textOf(values, 'payTo').replaceAll(' ', ''),
  series: textOf(values, 'series'),
});

/** Who sells. */
export const sellers: Kind<Seller> = {
  title: 'Sellers',
  one: 'seller',
  says: 'A seller is on its invoices with its name, address and tax id, and has a series of numbers of its own.',
  key: 'sellers',
  columns: [
    { title: 'Name', text: ({ legalName }) => legalName, width: 'minmax(12rem, 2fr)' },
    { title: 'Series', text: ({ series }) => series, width: '8rem' },
    { title: 'Tax id', text: ({ taxId }) => taxId ?? '' },
    { title: 'Paid to', text: ({ payTo }) => payTo, cell: ({ payTo }) => <Id value={payTo} length={24} /> },
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
    { name: 'taxId', label: 'Tax id', isOptional: true, hint: 'The e-invoice wants one.' },
    { name: 'payTo', label: 'Paid to', hint: 'An IBAN, or a wallet (0x…).' },
    { name: 'series', label: 'Series of numbers', hint: 'What its invoice numbers begin with: A-Z, 0-9 and -.' },
  ],
  fresh: { series: 'KF' },
  read: async (cursor) => ok(billing.GET('/sellers', { params: { query: cursor === undefined ? {} : { cursor } } })),
  valuesOf: (row) => ({ ...row, country: row.country ?? '', taxId: row.taxId ?? '' }),
  add: async (values) => ok(billing.POST('/sellers', { body: bodyOf(values) })),
  change: async ({ id }, values) => {
    const { etag } = await tagged(billing.GET('/sellers/{id}', { params: { path: { id } } }));
    return ok(
      billing.PATCH('/sellers/{id}', { params: { path: { id } }, headers: { 'if-match': etag }, body: bodyOf(values) }),
    );
  },
};
