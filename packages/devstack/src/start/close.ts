import { parseMoney } from '@keyfare/core/money';
import { callRpc } from '../chain/index.js';
import { transferUsdc } from '../usdc.js';
import { type Operated, operate } from './client.js';
import type { Customer } from './customer.js';
import { reconcile } from './reconcile.js';
import type { Stack } from './stack.js';
import type { Tell } from './tell.js';

interface Invoice {
  readonly id: string;
  readonly state: string;
  readonly number: string | null;
  readonly payable: string;
}

interface Month {
  readonly state: 'open' | 'locked';
  readonly checklist: readonly { readonly name: string; readonly ok: boolean }[];
}

/** Who works on the books, and of which month. */
interface Closing {
  readonly customer: Customer;
  readonly billing: Operated;
  readonly month: string;
}

/**
 * The customer's invoice of the month that is over is made final, and paid by a transfer of USDC that billing matches
 * with it. A start that broke off in between is gone on with.
 */
export async function settleInvoice(stack: Stack, closing: Closing, tell: Tell): Promise<void> {
  const { billing, month, customer } = closing;
  const found = await invoiceOf(closing);
  if (found?.state === 'paid') return;
  const payer =
    found === undefined || found.state === 'draft' ? await makeFinal(closing, tell) : await payerOf(closing);
  const invoice = await invoiceOf(closing);
  if (invoice === undefined) throw new Error(`${customer.account} has no invoice of ${month}`);
  await operate(billing, `/customers/${payer}/wallets`, { body: { address: stack.payer.address } });
  const { privateKey } = stack.payer;
  await transferUsdc(stack.rpc, { privateKey, to: stack.payTo, value: parseMoney('USDC', invoice.payable).atomic });
  // A transfer counts when it is final: on the local chain, two blocks later.
  for (let block = 0; block < 3; block += 1) await callRpc(stack.rpc, 'evm_mine', []);
  await reconcile(billing);
  const { items } = await operate<{ items: readonly { invoice: string; transfer: string }[] }>(
    billing,
    '/customers/wallets/match',
    { body: {} },
  );
  const [match] = items;
  const { state } = await operate<Invoice>(billing, `/invoices/${invoice.id}`);
  if (match?.invoice !== invoice.id || state !== 'paid')
    throw new Error('the transfer was not matched with the invoice');
  tell(
    `the customer pays ${invoice.payable} USDC to the till, and billing matches the transfer with the invoice`,
    state,
  );
}

async function makeFinal(closing: Closing, tell: Tell): Promise<string> {
  const { customer, billing, month } = closing;
  // A start that broke off here asks again with the same keys, and gets the same answers.
  const once = async (what: string, path: string, body: object): Promise<string> => {
    const headers = { 'idempotency-key': `story-${what}-${customer.account}` };
    return (await operate<{ id: string }>(billing, path, { body, headers })).id;
  };
  const sellerId = await once('seller', '/sellers', {
    legalName: 'Keyfare Demo Ltd',
    address: '1 Harbour Street, Dublin',
    payTo: 'DE89370400440532013000',
    series: 'KF',
  });
  const payer = await once('customer', '/customers', {
    legalName: 'Demo Customer Inc',
    address: '2 Market Street, Springfield',
    language: 'en',
    reportingCurrency: 'USD',
    paymentDays: 14,
  });
  const startsAt = `${month}-01T00:00:00.000Z`;
  await once('contract', '/contracts', { account: customer.account, customerId: payer, sellerId, startsAt });
  await operate(billing, '/invoices', { body: { account: customer.account, month } });
  const { items } = await operate<{ items: readonly (Invoice & { refusal: unknown })[] }>(
    billing,
    '/invoices/finalize',
    { body: { month, preview: false } },
  );
  const [made] = items;
  if (made === undefined || made.number === null) throw new Error(`no invoice became final: ${JSON.stringify(items)}`);
  tell(
    `the invoice of ${month}, which is over, is made final`,
    `${made.number}, ${made.payable} USD, ${billing.url}/invoices/${made.id}/pdf`,
  );
  return payer;
}

async function payerOf({ customer, billing }: Closing): Promise<string> {
  const { items } = await operate<{ items: readonly { account: string; customerId: string }[] }>(
    billing,
    '/contracts?limit=100',
  );
  const contract = items.find(({ account }) => account === customer.account);
  if (contract === undefined) throw new Error(`${customer.account} has no contract`);
  return contract.customerId;
}

async function invoiceOf({ customer, billing, month }: Closing): Promise<Invoice | undefined> {
  const query = new URLSearchParams({ account: customer.account, month });
  const { items } = await operate<{ items: readonly Invoice[] }>(billing, `/invoices?${query.toString()}`);
  return items.find(({ state }) => state !== 'void');
}

/** Locks the month, unless that was done, and prints what is in the books. */
export async function closeMonth({ billing, month }: Omit<Closing, 'customer'>, tell: Tell): Promise<void> {
  const { state, checklist } = await operate<Month>(billing, `/months/${month}`);
  const open = checklist.filter(({ ok }) => !ok).map(({ name }) => name);
  if (state === 'locked') {
    tell(`${month} is locked since an earlier start`);
  } else if (open.length > 0) {
    // What is open from an earlier start is somebody's to resolve.
    tell(`${month} cannot be locked yet`, open.join(', '));
  } else {
    await operate<Month>(billing, `/months/${month}/lock`, { body: {} });
    tell(
      `an operator locks ${month}, all ${String(checklist.length)} points of its checklist are met: nothing is dated into it any more`,
      `${billing.url}/months/${month}/close-pack.pdf`,
    );
  }
  tell(`the trial balance\n${await trialBalance(billing)}`);
}

interface Line {
  readonly account: string;
  readonly asset: string;
  readonly debit: string;
  readonly credit: string;
}

const isZero = (amount: string): boolean => /^[0.]+$/.test(amount);

/** The accounts that have a balance, and the sums by asset. Throws when debits and credits differ. */
async function trialBalance(billing: Operated): Promise<string> {
  const { items } = await operate<{ items: readonly Line[] }>(billing, '/reports/trial-balance?limit=100');
  const lines = items.filter(({ debit, credit }) => !isZero(debit) || !isZero(credit));
  for (const asset of ['USD', 'USDC'] as const) {
    const sumOf = (side: 'debit' | 'credit'): bigint =>
      lines
        .filter((line) => line.asset === asset)
        .reduce((sum, line) => sum + parseMoney(asset, line[side]).atomic, 0n);
    if (sumOf('debit') !== sumOf('credit')) throw new Error(`the books do not balance in ${asset}`);
  }
  const row = ({ asset, account, debit, credit }: Line): string => {
    const [left, right] = [debit, credit].map((amount) => (isZero(amount) ? '' : amount).padStart(12));
    return `           ${asset.padEnd(5)}${left ?? ''}${right ?? ''}  ${account}`;
  };
  return [row({ asset: '', account: '', debit: 'debit', credit: 'credit' }).trimEnd(), ...lines.map(row)].join('\n');
}
