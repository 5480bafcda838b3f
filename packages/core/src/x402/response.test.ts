import { expect, test } from '@keyfare/jest-preset/globals';
import { decodePaymentResponseHeader } from '@x402/core/http';
import { networkOf, payer } from '../../test/payer.js';
import { formatPaymentResponse } from './index.js';

const network = networkOf('base-sepolia');
const transaction = `0x${'c4'.repeat(32)}` as const;
const settled = { success: true, transaction, network, payer: payer.address, amount: 1000n };

test('a version 2 client reads the settlement, with the network as CAIP-2', () => {
  const { header, value } = formatPaymentResponse(2, settled);
  expect(header).toBe('PAYMENT-RESPONSE');
  expect(decodePaymentResponseHeader(value)).toEqual({
    success: true,
    transaction,
    network: 'eip155:84532',
    payer: payer.address,
    amount: '1000',
  });
});

test('a version 1 client reads the same under its own header and network name', () => {
  const { header, value } = formatPaymentResponse(1, settled);
  expect(header).toBe('X-PAYMENT-RESPONSE');
  expect(decodePaymentResponseHeader(value)).toMatchObject({ success: true, transaction, network: 'base-sepolia' });
});

test('a failure has an empty transaction, and a reason', () => {
  const { value } = formatPaymentResponse(2, { success: false, network, errorReason: 'payment/failed' });
  expect(decodePaymentResponseHeader(value)).toEqual({
    success: false,
    errorReason: 'payment/failed',
    transaction: '',
    network: 'eip155:84532',
  });
});
