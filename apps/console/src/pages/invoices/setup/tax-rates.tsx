import { billing, ok } from '../../../api/client.js';
import { Day } from '../../../ui/values.js';
import type { TaxRate } from '../kinds.js';
import { type Kind, orNull, startOf, textOf } from './kind.js';

/** Basis points of a text in percent: `19` and `19.5`. An entry that is none is left to the API to refuse. */
const pointsOf = (percent: string): number => Math.round(Number(percent.replace(',', '.')) * 100);

/** What a code of tax is at what time. A rate is never changed: the next one begins later. */
export const taxRates: Kind<TaxRate> = {
  title: 'Tax rates',
  one: 'tax rate',
  says: 'A rate holds for its code from a day on, until a later rate of the same code begins. None is ever changed.',
  key: 'tax-rates',
  columns: [
    { title: 'Code', text: ({ code }) => code },
    {
      title: 'From',
      text: ({ validFrom }) => validFrom,
      cell: ({ validFrom }) => <Day of={validFrom} />,
      width: '9rem',
    },
    { title: 'Percent', text: ({ basisPoints }) => `${basisPoints / 100}`, isNumber: true, width: '7rem' },
    { title: 'Reverse charge', text: ({ reverseCharge }) => (reverseCharge ? 'yes' : 'no'), width: '9rem' },
    { title: 'Reason', text: ({ reason }) => reason ?? '', width: 'minmax(12rem, 3fr)' },
  ],
  fields: [
    { name: 'code', label: 'Code', offers: 'tax-codes', hint: 'Up to 32 letters, digits and -.' },
    { name: 'validFrom', label: 'From', type: 'date', hint: 'From the beginning of this day, in UTC.' },
    { name: 'percent', label: 'Percent', hint: 'Such as 19 or 7.5.' },
    {
      name: 'reverseCharge',
      label: 'Reverse charge',
      choices: [
        { id: 'no', label: 'No: the seller owes the tax' },
        { id: 'yes', label: 'Yes: the customer owes it, the rate is 0' },
      ],
    },
    {
      name: 'reason',
      label: 'Reason',
      isOptional: true,
      hint: 'Why it is 0. It is printed; reverse charge must have one.',
    },
  ],
  fresh: { reverseCharge: 'no' },
  read: async (cursor) => ok(billing.GET('/tax-rates', { params: { query: cursor === undefined ? {} : { cursor } } })),
  valuesOf: (row) => ({ code: row.code }),
  add: async (values) =>
    ok(
      billing.POST('/tax-rates', {
        body: {
          code: textOf(values, 'code'),
          validFrom: startOf(textOf(values, 'validFrom')),
          basisPoints: pointsOf(textOf(values, 'percent')),
          reverseCharge: values['reverseCharge'] === 'yes',
          reason: orNull(values['reason']),
        },
      }),
    ),
};
