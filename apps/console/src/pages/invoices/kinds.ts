import type { components } from '@keyfare/api-types/billing';

type Schemas = components['schemas'];
export type Invoice = Schemas['Invoice'];
export type InvoiceSummary = Schemas['InvoiceSummary'];
export type CreditNote = Schemas['CreditNote'];
export type Finalized = Schemas['InvoiceFinalizeAnswer']['items'][number];
export type BankPayment = Schemas['BankPayment'];
export type BankStatement = Schemas['BankStatement'];
export type Seller = Schemas['Seller'];
export type Customer = Schemas['Customer'];
export type Contract = Schemas['Contract'];
export type TaxRate = Schemas['TaxRate'];
export type BankAccount = Schemas['BankAccount'];

export const invoiceStates = ['draft', 'final', 'partially_paid', 'paid', 'void', 'uncollectible'] as const;

/** What an invoice is called before and after it has a number. */
export const nameOf = ({ number, month }: Pick<Invoice, 'number' | 'month'>): string => number ?? `Draft of ${month}`;
