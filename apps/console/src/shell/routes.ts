import type { ComponentType } from 'react';
import type { Scope } from '../api/session.js';

/** A page. Its code is read when it is first gone to. */
export interface Route {
  /** As wouter reads it, below `/console`. */
  readonly path: string;
  readonly load: () => Promise<{ readonly default: ComponentType }>;
}

/** What the navigation shows, in its order. */
export interface Place extends Route {
  readonly title: string;
  /** Follows `g` on the keyboard. */
  readonly key: string;
  readonly needs?: Scope;
}

export const places: readonly Place[] = [
  { path: '/', title: 'Today', key: 't', load: async () => import('../pages/today/today.js') },
  {
    path: '/reconciliation',
    title: 'Reconciliation',
    key: 'r',
    load: async () => import('../pages/reconciliation/reconciliation.js'),
  },
  { path: '/customers', title: 'Customers', key: 'c', load: async () => import('../pages/customers/customers.js') },
  { path: '/payments', title: 'Payments', key: 'p', load: async () => import('../pages/payments/payments.js') },
  { path: '/receipts', title: 'Receipts', key: 'v', load: async () => import('../pages/receipts/receipts.js') },
  { path: '/invoices', title: 'Invoices', key: 'i', load: async () => import('../pages/invoices/invoices.js') },
  { path: '/ledger', title: 'Ledger', key: 'l', load: async () => import('../pages/ledger/ledger.js') },
  { path: '/prices', title: 'Prices and plans', key: 'n', load: async () => import('../pages/prices/prices.js') },
  { path: '/operations', title: 'Operations', key: 'o', load: async () => import('../pages/operations/operations.js') },
];

/** Pages that are reached from others. */
export const furtherRoutes: readonly Route[] = [
  { path: '/reconciliation/breaks/:id', load: async () => import('../pages/reconciliation/case.js') },
  { path: '/reconciliation/months/:month', load: async () => import('../pages/reconciliation/month.js') },
  { path: '/reconciliation/runs/:id', load: async () => import('../pages/reconciliation/run.js') },
  { path: '/customers/:id', load: async () => import('../pages/customers/account.js') },
  { path: '/prices/plans/:slug', load: async () => import('../pages/prices/plan.js') },
  { path: '/prices/products/:sku', load: async () => import('../pages/prices/product.js') },
  { path: '/payments/:id', load: async () => import('../pages/payments/payment.js') },
  { path: '/invoices/run', load: async () => import('../pages/invoices/run.js') },
  { path: '/invoices/bank', load: async () => import('../pages/invoices/bank.js') },
  { path: '/invoices/bank/:id', load: async () => import('../pages/invoices/bank-payment.js') },
  { path: '/invoices/reminders', load: async () => import('../pages/invoices/reminders.js') },
  { path: '/invoices/adjustments', load: async () => import('../pages/invoices/adjustments.js') },
  { path: '/invoices/setup/:what?', load: async () => import('../pages/invoices/setup/setup.js') },
  { path: '/invoices/customers/:id', load: async () => import('../pages/invoices/customer.js') },
  { path: '/invoices/:id', load: async () => import('../pages/invoices/invoice.js') },
  { path: '/ledger/journal', load: async () => import('../pages/ledger/journal.js') },
  { path: '/ledger/accounts/:account', load: async () => import('../pages/ledger/account.js') },
  { path: '/ledger/reports/:report?', load: async () => import('../pages/ledger/report.js') },
  { path: '/ledger/files', load: async () => import('../pages/ledger/files.js') },
  { path: '/operations/treasury', load: async () => import('../pages/operations/treasury.js') },
  { path: '/operations/entries', load: async () => import('../pages/operations/entries.js') },
  { path: '/operations/audit', load: async () => import('../pages/operations/audit.js') },
  { path: '/operations/operators', load: async () => import('../pages/operations/operators.js') },
];
