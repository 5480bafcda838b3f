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
      'The detail says what is missing: an invoice is final, has a seller and a customer, and both have a country and the tax ids that their taxes ask for. What was missing when it became final is entered, and the invoice voided and made final again.',
  },
  'invoice/no-contract': {
    status: 409,
    title: 'The account has no contract in the month of the invoice',
    remedy: 'Enter a contract that says which customer is invoiced, and by which seller.',
  },
  'invoice/not-over': {
    status: 409,
    title: 'The time of the invoice is not over, or the log was not read past its end',
    remedy: 'Wait until the month, or the contract of the account, has ended and billing has read the log past that.',
  },
  'invoice/nothing-due': {
    status: 409,
    title: 'There is nothing to pay on the invoice',
    remedy: 'Leave it as a draft: it is invoiced when something comes to it.',
  },
  'invoice/no-tax-rate': {
    status: 409,
    title: 'No rate of the code of tax holds in the month of the invoice',
    remedy: 'Enter a rate of the code that holds by the end of the month, or change the code of the customer.',
  },
  'invoice/needs-approval': {
    status: 409,
    title: 'The invoice is over the limit, and another operator has not approved it as it is now',
    remedy: 'Have a second operator approve the draft. It must be approved again when it changes.',
  },
  'invoice/conflict': {
    status: 409,
    title: 'The state of the invoice does not allow it',
    remedy: 'Read the invoice: only a draft becomes final, and only what is unpaid and not credited becomes void.',
  },
  'credit-note/too-much': {
    status: 409,
    title: 'The credit note would take back more than was invoiced',
    remedy: 'Read the invoice: what earlier credit notes took back counts too.',
  },
  'adjustment/not-found': {
    status: 404,
    title: 'There is no such adjustment',
    remedy: 'Check the id against the list of adjustments.',
  },
  'adjustment/conflict': {
    status: 409,
    title: 'The state of the adjustment does not allow it',
    remedy:
      'Read the adjustment: another operator than its maker approves it, and what is on a final invoice is mended by another adjustment.',
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
  'customer-wallet/conflict': {
    status: 409,
    title: 'The wallet is another customer’s',
    remedy: 'Check the address: one wallet pays for one customer.',
  },
  'wallet/not-found': {
    status: 404,
    title: 'No wallet of this address is known',
    remedy: 'Check the address against the list of wallets.',
  },
  'wallet/conflict': {
    status: 409,
    title: 'The wallet is something else already',
    remedy: 'Look for it in the list of wallets and among the customers’, and change what is there.',
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
  'reminder/not-found': {
    status: 404,
    title: 'There is no such reminder',
    remedy: 'Check the id against the list of reminders.',
  },
  'bank-payment/conflict': {
    status: 409,
    title: 'The bank payment or the invoice has less left than is to be matched, or the match was undone before',
    remedy: 'Look at what is left of both and at the matches of the payment, and match no more than that.',
  },
} as const satisfies Record<string, CatalogueRow>;
