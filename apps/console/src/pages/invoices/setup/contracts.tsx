import { dateIn, isTimeZone, startOfDay } from '@keyfare/core/time';
import { billing, ok, tagged } from '../../../api/client.js';
import { Dash, Id } from '../../../ui/values.js';
import type { Contract } from '../kinds.js';
import { type Kind, orNull, textOf, type Values } from './kind.js';
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
    { title: 'From', text: ({ startsAt, timeZone }) => dayOf(startsAt, timeZone), width: '8rem' },
    {
      title: 'Until',
      text: ({ endsAt, timeZone }) => (endsAt === null ? '' : dayOf(endsAt, timeZone)),
      cell: ({ endsAt, timeZone }) => (endsAt === null ? <Dash /> : dayOf(endsAt, timeZone)),
      width: '8rem',
    },
    { title: 'Periods', text: periodsOf, width: '14rem' },
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
    {
      name: 'periodAnchor',
      label: 'Its invoices are of',
      isFixed: true,
      choices: [
        { id: 'calendar', label: 'months' },
        { id: 'anniversary', label: 'months from its first day on' },
      ],
    },
    {
      name: 'timeZone',
      label: 'Time zone',
      isFixed: true,
      hint: 'Whose days count, such as UTC or Europe/Berlin. Included units are of months in UTC.',
    },
    { name: 'startsAt', label: 'From', type: 'date', isFixed: true, hint: 'From the beginning of this day.' },
    { name: 'endsAt', label: 'Until', type: 'date', isOptional: true, hint: 'It ends when this day begins.' },
  ],
  fresh: { periodAnchor: 'calendar', timeZone: 'UTC' },
  read: async (cursor) => ok(billing.GET('/contracts', { params: { query: cursor === undefined ? {} : { cursor } } })),
  valuesOf: ({ endsAt, timeZone }) => ({ endsAt: endsAt === null ? '' : dayOf(endsAt, timeZone) }),
  add: async (values) => {
    const timeZone = textOf(values, 'timeZone');
    return ok(
      billing.POST('/contracts', {
        body: {
          account: textOf(values, 'account'),
          customerId: textOf(values, 'customerId'),
          sellerId: textOf(values, 'sellerId'),
          startsAt: startOf(textOf(values, 'startsAt'), timeZone),
          endsAt: endOf(values, timeZone),
          periodAnchor: textOf(values, 'periodAnchor') === 'anniversary' ? 'anniversary' : 'calendar',
          timeZone,
        },
      }),
    );
  },
  change: async ({ id, timeZone }, values) => {
    const { etag } = await tagged(billing.GET('/contracts/{id}', { params: { path: { id } } }));
    return ok(
      billing.PATCH('/contracts/{id}', {
        params: { path: { id } },
        headers: { 'if-match': etag },
        body: { endsAt: endOf(values, timeZone) },
      }),
    );
  },
};

function dayOf(at: string, timeZone: string): string {
  return dateIn(timeZone, new Date(at));
}

/** Of a zone that is none the API says what is wrong. */
function startOf(day: string, timeZone: string): string {
  return startOfDay(isTimeZone(timeZone) ? timeZone : 'UTC', day).toISOString();
}

function endOf(values: Values, timeZone: string): string | null {
  const day = orNull(values['endsAt']);
  return day === null ? null : startOf(day, timeZone);
}

function periodsOf({ startsAt, periodAnchor, timeZone }: Contract): string {
  const days = periodAnchor === 'calendar' ? 'months' : `from day ${Number(dayOf(startsAt, timeZone).slice(8))} on`;
  return timeZone === 'UTC' ? days : `${days}, ${timeZone}`;
}
