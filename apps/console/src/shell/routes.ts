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
  { path: '/prices', title: 'Prices and plans', key: 'n', load: async () => import('../pages/prices/prices.js') },
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
];
