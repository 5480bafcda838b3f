import type { CatalogueRow } from './catalogue-row.js';

/** The part of the catalogue that concerns invoices: who sells, who is invoiced, and the rates of tax. */
export const invoiceProblems = {
  'invoice/not-found': {
    status: 404,
    title: 'There is no such invoice',
    remedy: 'Check the invoice number.',
  },
  'invoice/no-e-invoice': {
    status: 409,
    title: 'The invoice cannot be an electronic invoice',
    remedy:
      'The detail says what is missing: an invoice is final, has a seller and a customer, and both have a country and the tax ids that their taxes ask for.',
  },
  'seller/not-found': {
    status: 404,
    title: 'There is no such seller',
    remedy: 'Check the id against the list of sellers.',
  },
  'seller/conflict': {
    status: 409,
    title: 'Another seller has this number series',
    remedy: 'Take another series: the numbers of two sellers must not be the same.',
  },
  'customer/not-found': {
    status: 404,
    title: 'There is no such customer',
    remedy: 'Check the id against the list of customers.',
  },
  'contract/not-found': {
    status: 404,
    title: 'There is no such contract',
    remedy: 'Check the id against the list of contracts.',
  },
  'contract/conflict': {
    status: 409,
    title: 'The contract does not fit the others of its account',
    remedy: 'An account has one contract at a time: end the other one first, or take another start or end.',
  },
  'tax-rate/not-found': {
    status: 404,
    title: 'There is no such rate of tax',
    remedy: 'Check the id against the list of rates.',
  },
  'tax-rate/conflict': {
    status: 409,
    title: 'There is a rate of this code from this time on',
    remedy: 'A rate is never changed. Enter the new one with the time from which it holds.',
  },
} as const satisfies Record<string, CatalogueRow>;
