import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../drafts.js';
import type { Home } from '../home/index.js';
import { type Operated, operate } from './client.js';

/** The account under contract that the stack comes with. */
export interface Customer {
  readonly account: string;
  readonly key: string;
}

interface Account {
  readonly id: string;
}

/** The demo account on a plan of two included units, and its key; made once for a home, and kept with its secrets. */
export async function ensureCustomer(home: Home, api: Operated): Promise<Customer> {
  const path = join(home.path, 'secrets', 'customer.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Customer;
  await operate(api, '/admin/plans', {
    body: { slug: 'starter', includedUnits: 2, overage: 'invoice', overagePrice: '$0.002', monthlyPrice: '$20' },
  });
  const account = await operate<Account>(api, '/admin/accounts', { body: { name: 'Demo customer', plan: 'starter' } });
  const { secret } = await operate<{ secret: string }>(api, `/admin/accounts/${account.id}/keys`, {
    body: { name: 'demo' },
  });
  const customer = { account: account.id, key: secret };
  replaceFile(path, JSON.stringify(customer));
  return customer;
}
