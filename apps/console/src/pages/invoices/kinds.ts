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

type Period = Pick<Invoice, 'month' | 'firstDay' | 'lastDay' | 'timeZone'>;

/** `2026-10` for a whole month in UTC, else its first and last day, and their zone. */
export function periodText({ month, firstDay, lastDay, timeZone }: Period): string {
  const next = new Date(Date.parse(lastDay) + 86_400_000).toISOString();
  const isMonth = firstDay === `${month}-01` && next.slice(8, 10) === '01' && lastDay.slice(0, 7) === month;
  const days = isMonth ? month : `${firstDay} to ${lastDay}`;
  return timeZone === 'UTC' ? days : `${days}, ${timeZone}`;
}

/** What an invoice is called before and after it has a number. */
export const nameOf = ({ number, month }: Pick<Invoice, 'number' | 'month'>): string => number ?? `Draft of ${month}`;
