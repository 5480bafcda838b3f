import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { formatMonth, monthOf } from '@keyfare/core/time';
import type { Address } from 'viem';
import type { Databases } from '../databases.js';
import { replaceFile } from '../drafts.js';
import type { Home } from '../home/index.js';
import { type Operated, operate } from './client.js';

/** The account under contract that the stack comes with. */
export interface Customer {
  readonly account: string;
  readonly key: string;
  /** The month that is over and in which it called, such as 2026-10; a home that had a log already has none. */
  readonly month?: string;
}

const name = 'Demo customer';
const plan = { slug: 'starter', includedUnits: 2, overagePrice: '$0.002', monthlyPrice: '$20' };
/** Two are included, and three are on the invoice. */
const callsOfMonth = 5;
const program = fileURLToPath(new URL('../../../../seed/dist/src/first-month.js', import.meta.url));
const pathOf = (home: Home): string => join(home.path, 'secrets', 'customer.json');

/** What the month before is made with: everything runs but the API and billing. */
interface Ground {
  readonly databases: Databases;
  readonly superuserUrl: string;
  readonly rpcUrl: string;
  readonly payTo: Address;
}

/**
 * Lets the demo customer have called in the month before this one: a gate runs for that, with its clock in that month.
 * Only a home without a customer and without a log gets it, once. Resolves with the month, or null.
 */
export async function makeMonthBefore(home: Home, ground: Ground): Promise<string | null> {
  if (existsSync(pathOf(home))) return null;
  const month = formatMonth(monthOf(new Date(monthOf(new Date()).start.getTime() - 1)));
  const { receiptKeyPem, keyPepper, settlerKey, payToKey } = home.secrets;
  const { databases, superuserUrl, rpcUrl, payTo } = ground;
  const made = await ask<Pick<Customer, 'account' | 'key'> | null>({
    ground: {
      databaseUrl: databases.apiUrl,
      rpcUrl,
      secrets: { receiptKeyPem, keyPepper, settlerKey, payToKey, payTo },
    },
    ownerUrl: databases.ownerUrl,
    superuserUrl,
    month,
    customer: name,
    plan,
    calls: callsOfMonth,
  });
  if (made === null) return null;
  replaceFile(pathOf(home), JSON.stringify({ ...made, month } satisfies Customer));
  return month;
}

/** The orders hold secrets: they go to standard input, which no list of processes shows. */
async function ask<T>(orders: object): Promise<T> {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(orders));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [code, out, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`the month before could not be made: ${complaint}`);
  return JSON.parse(out) as T;
}

/** The demo account on a plan of two included units, and its key; made once for a home, and kept with its secrets. */
export async function ensureCustomer(home: Home, api: Operated): Promise<Customer> {
  const path = pathOf(home);
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Customer;
  const known = await operate<{ items: readonly { slug: string }[] }>(api, '/admin/plans');
  // A start that broke off may have made the plan.
  if (!known.items.some(({ slug }) => slug === plan.slug)) {
    await operate(api, '/admin/plans', { body: { ...plan, overage: 'invoice' } });
  }
  const account = await operate<{ id: string }>(api, '/admin/accounts', { body: { name, plan: plan.slug } });
  const { secret } = await operate<{ secret: string }>(api, `/admin/accounts/${account.id}/keys`, {
    body: { name: 'demo' },
  });
  const customer = { account: account.id, key: secret };
  replaceFile(path, JSON.stringify(customer));
  return customer;
}
