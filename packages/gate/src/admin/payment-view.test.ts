import { expect, it } from '@keyfare/jest-preset/globals';
import type { PaymentSummary } from '../services.js';
import { viewPayment } from './payment-view.js';

const at = new Date('2026-11-21T10:00:00Z');
const [first, second] = [`0x${'11'.repeat(32)}`, `0x${'22'.repeat(32)}`] as const;

function states(state: PaymentSummary['state'], transaction: string | null): readonly string[] {
  const sent = (hash: string) => ({
    transaction: hash,
    wallet: `0x${'a'.repeat(40)}`,
    walletNonce: '7',
    maxFeePerGas: '100',
    createdAt: at.toISOString(),
  });
  const payment = { state, transaction, attempts: [sent(first), sent(second)], claimedAt: at, servedAt: null };
  const rest = { flow: 'upfront', refundDueAt: null, failure: null, accountId: null };
  return viewPayment({ ...payment, ...rest } as unknown as PaymentSummary).attempts.map((attempt) => attempt.state);
}

it.each([
  ['settling', null, ['replaced', 'sent']],
  ['settled', first, ['moved', 'replaced']],
  ['final', second, ['replaced', 'moved']],
  // In the chain, and reverted there: no money has moved.
  ['failed', second, ['replaced', 'mined']],
  ['failed', null, ['replaced', 'lost']],
  ['expired', null, ['replaced', 'lost']],
] as const)('attempts of a payment that is %s, by transaction %s', (state, transaction, expected) => {
  expect(states(state, transaction)).toEqual(expected);
});
