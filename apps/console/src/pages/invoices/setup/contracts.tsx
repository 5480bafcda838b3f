import { billing, ok, tagged } from '../../../api/client.js';
import { Dash, Day, Id } from '../../../ui/values.js';
import type { Contract } from '../kinds.js';
import { type Kind, orNull, startOf, textOf } from './kind.js';
import { CustomerName, SellerName } from './names.js';

/** Which account is invoiced to whom, and by whom. */
export const contracts: Kind<Contract> = {
  title: 'Contracts',
  one: 'contract',
  says: 'A contract says which customer is invoiced for an account, by which seller, and from when to when.',
  key: 'contracts',
  columns: [
    { title: 'Account', text: ({ account }) => account, cell: ({ account }) => <Id value={account} length={24} /> },
    {
      title: 'Customer',
      text: ({ customerId }) => customerId,
      cell: ({ customerId }) => <CustomerName id={customerId} />,
      width: 'minmax(12rem, 2fr)',
    },
    { title: 'Seller', text: ({ sellerId }) => sellerId, cell: ({ sellerId }) => <SellerName id={sellerId} /> },
    { title: 'From', text: ({ startsAt }) => startsAt, cell: ({ startsAt }) => <Day of={startsAt} />, width: '8rem' },
    {
      title: 'Until',
      text: ({ endsAt }) => endsAt ?? '',
      cell: ({ endsAt }) => (endsAt === null ? <Dash /> : <Day of={endsAt} />),
      width: '8rem',
    },
  ],
  fields: [
    {
      name: 'account',
      label: 'Account',
      offers: 'accounts',
      isFixed: true,
      hint: 'Its id; a part of the name finds it.',
    },
    { name: 'customerId', label: 'Customer', offers: 'customers', isFixed: true, hint: 'Its id.' },
    { name: 'sellerId', label: 'Seller', offers: 'sellers', isFixed: true, hint: 'Its id.' },
    { name: 'startsAt', label: 'From', type: 'date', isFixed: true, hint: 'From the beginning of this day, in UTC.' },
    { name: 'endsAt', label: 'Until', type: 'date', isOptional: true, hint: 'It ends when this day begins, in UTC.' },
  ],
  fresh: {},
  read: async (cursor) => ok(billing.GET('/contracts', { params: { query: cursor === undefined ? {} : { cursor } } })),
  valuesOf: ({ endsAt }) => ({ endsAt: endsAt?.slice(0, 10) ?? '' }),
  add: async (values) => {
    const endsAt = orNull(values['endsAt']);
    return ok(
      billing.POST('/contracts', {
        body: {
          account: textOf(values, 'account'),
          customerId: textOf(values, 'customerId'),
          sellerId: textOf(values, 'sellerId'),
          startsAt: startOf(textOf(values, 'startsAt')),
          endsAt: endsAt === null ? null : startOf(endsAt),
        },
      }),
    );
  },
  change: async ({ id }, values) => {
    const { etag } = await tagged(billing.GET('/contracts/{id}', { params: { path: { id } } }));
    const endsAt = orNull(values['endsAt']);
    return ok(
      billing.PATCH('/contracts/{id}', {
        params: { path: { id } },
        headers: { 'if-match': etag },
        body: { endsAt: endsAt === null ? null : startOf(endsAt) },
      }),
    );
  },
};
