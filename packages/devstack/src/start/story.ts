import { parseJwks, verifyReceipt } from '@keyfare/core/receipt';
import { formatMonth, monthOf } from '@keyfare/core/time';
import { ExactEvmScheme, toClientEvmSigner } from '@x402/evm';
import { wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { createPublicClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { baseSepolia } from 'viem/chains';
import { transferUsdc } from '../usdc.js';
import { type Operated, operate } from './client.js';
import { closeMonth, settleInvoice } from './close.js';
import type { Customer } from './customer.js';
import { reconcile } from './reconcile.js';
import type { Stack } from './stack.js';
import type { Tell } from './tell.js';

/** The priced route that is called here, and that people are shown to call. */
export const demoPath = '/v1/forecast?latitude=52.52&longitude=13.4&date=2026-11-21';

/**
 * The main job, done for real: both rails, both receipts, the invoice, the chain, the books, a break that is found, and
 * a month that is closed.
 */
export async function tellStory(
  stack: Stack,
  { customer, billing }: { customer: Customer; billing: Operated },
  tell: Tell,
): Promise<void> {
  const byKey = await callByKey(stack, customer, tell);
  const byWallet = await callByWallet(stack, tell);
  await verifyOffline(stack, [byKey, byWallet], tell);
  await draftInvoice(customer, billing, tell);
  // Somebody may have played with the wallet since the last start: what is open from then is theirs to resolve.
  const { breaks } = await reconcile(billing);
  tell(
    'billing indexes the chain and reconciles receipts, usage, ledger and chain',
    [`${String(breaks.length)} breaks`, ...breaks.map((found) => `${found.class}: ${found.detail}`)].join(
      '\n           ',
    ),
  );
  const { month } = customer;
  if (month !== undefined) await settleInvoice(stack, { customer, billing, month }, tell);
  await breakOnPurpose(stack, { billing, known: new Set(breaks.map(({ id }) => id)) }, tell);
  if (month === undefined) tell('the customer has no month that is over: no month is closed here');
  else await closeMonth({ billing, month }, tell);
}

async function callByKey(stack: Stack, customer: Customer, tell: Tell): Promise<string> {
  let receipt = '';
  for (let call = 0; call < 3; call += 1) {
    const response = await fetch(`${stack.api}${demoPath}`, { headers: { authorization: `Bearer ${customer.key}` } });
    if (response.status !== 200) throw new Error(`the call by key was answered ${String(response.status)}`);
    receipt = response.headers.get('keyfare-receipt') ?? '';
  }
  tell('a customer with a key calls the priced route three times', '200, receipt by each answer');
  return receipt;
}

async function callByWallet(stack: Stack, tell: Tell): Promise<string> {
  const url = `${stack.api}${demoPath}`;
  const refused = await fetch(url);
  const offer = JSON.parse(Buffer.from(refused.headers.get('payment-required') ?? '', 'base64').toString()) as {
    accepts: { amount: string; network: string }[];
  };
  tell(
    'an agent without a key calls the same route',
    `${String(refused.status)}, price ${offer.accepts[0]?.amount ?? '?'} atomic USDC on ${offer.accepts[0]?.network ?? '?'}`,
  );
  const account = privateKeyToAccount(stack.payer.privateKey);
  const chain = createPublicClient({ chain: baseSepolia, transport: http(stack.rpc) });
  const client = new x402Client().register('eip155:*', new ExactEvmScheme(toClientEvmSigner(account, chain)));
  const response = await wrapFetchWithPayment(fetch, client)(url);
  if (response.status !== 200)
    throw new Error(`the paid call was answered ${String(response.status)}: ${await response.text()}`);
  const settled = JSON.parse(Buffer.from(response.headers.get('payment-response') ?? '', 'base64').toString()) as {
    transaction: string;
  };
  tell('it pays with @x402/fetch and is served', `200, settled in ${settled.transaction}`);
  return response.headers.get('keyfare-receipt') ?? '';
}

async function verifyOffline(stack: Stack, receipts: readonly string[], tell: Tell): Promise<void> {
  const keys = parseJwks(await (await fetch(`${stack.api}/.well-known/jwks.json`)).json());
  const said = receipts.map((receipt) => {
    const verdict = verifyReceipt(receipt, keys);
    if (!verdict.ok) throw new Error(`a receipt does not verify: ${verdict.detail}`);
    const { payload } = verdict;
    return payload.rail === 'key'
      ? `${payload.rail}: ${String(payload.units)} unit`
      : `${payload.rail}: ${payload.amount} USDC atomic`;
  });
  tell('both receipts verify offline against the published keys', said.join('; '));
}

async function draftInvoice(customer: Customer, billing: Operated, tell: Tell): Promise<void> {
  // Billing catches up with the log first, so that the draft has what was just called.
  await reconcile(billing);
  const month = formatMonth(monthOf(new Date()));
  const invoice = await operate<{ total: string; lines: readonly unknown[] }>(billing, '/invoices', {
    body: { account: customer.account, month },
  });
  tell(
    `billing drafts the customer's invoice for ${month}`,
    `${String(invoice.lines.length)} lines, total ${invoice.total}`,
  );
}

async function breakOnPurpose(
  stack: Stack,
  { billing, known }: { readonly billing: Operated; readonly known: ReadonlySet<string> },
  tell: Tell,
): Promise<void> {
  await transferUsdc(stack.rpc, { privateKey: stack.payer.privateKey, to: stack.payTo, value: 123_456n });
  tell('somebody sends 0.123456 USDC that no call was paid with');
  const { breaks } = await reconcile(billing);
  const [found, ...more] = breaks.filter(({ id }) => !known.has(id));
  if (found?.class !== 'unknown-inbound' || more.length > 0) {
    throw new Error(`the stray transfer was not found: ${JSON.stringify(breaks)}`);
  }
  tell('billing reconciles again and names it', `1 break: ${found.class}, ${found.amount ?? '?'} USDC`);
  const { posting } = await operate<{ posting: { debit: string; credit: string } | null }>(
    billing,
    `/breaks/${found.id}`,
    {
      method: 'PATCH',
      // Whatever became of it since: nobody else works on it here.
      headers: { 'if-match': '*' },
      body: { owner: 'operator', resolution: 'a gift', kind: 'gift', note: 'The transfer of the story.' },
    },
  );
  if (posting === null) throw new Error('the resolution posted nothing');
  tell('an operator resolves it as a gift, and the ledger follows', `${posting.debit} to ${posting.credit}`);
}
