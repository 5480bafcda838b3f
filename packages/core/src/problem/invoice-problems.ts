import type { CatalogueRow } from './catalogue-row.js';

/** The part of the catalogue that concerns invoices: who sells, who is invoiced, and the rates of tax. */
export const invoiceProblems = {
  'invoice/not-found': {
    status: 404,
    title: 'There is no such invoice',
    remedy: 'Check the invoice number.',
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
  'bank-account/not-found': {
    status: 404,
    title: 'There is no such bank account',
    remedy: 'Check the id against the list of bank accounts.',
  },
  'bank-account/conflict': {
    status: 409,
    title: 'Another bank account has this IBAN',
    remedy: 'Look for it in the list of bank accounts.',
  },
  'bank-account/unsupported-currency': {
    status: 422,
    title: 'Only bank accounts in US dollars are kept',
    remedy: 'Enter what came in another currency as a correction, at the rate that your bank gave.',
  },
  'bank-statement/malformed': {
    status: 422,
    title: 'The bank statement cannot be read',
    remedy:
      'See lines and faults, and mend the file or the mapping of the bank account. Nothing of the file was stored.',
  },
  'bank-payment/not-found': {
    status: 404,
    title: 'There is no such bank payment',
    remedy: 'Check the id against the list of bank payments.',
  },
  'bank-payment/conflict': {
    status: 409,
    title: 'The bank payment or the invoice has less left than is to be matched',
    remedy: 'Look at what is left of both, and match no more than that.',
  },
} as const satisfies Record<string, CatalogueRow>;
