import { expect, test } from '@keyfare/jest-preset/globals';
import { x402Client, x402HTTPClient } from '@x402/core/client';
import { PaymentRequiredV1Schema, PaymentRequiredV2Schema } from '@x402/core/schemas';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { ExactEvmSchemeV1 } from '@x402/evm/exact/v1/client';
import { networkOf, payer, termsWith } from '../../test/payer.js';
import {
  formatPaymentRequired,
  loadSignatureVerifier,
  networks,
  type PaymentHeader,
  parsePaymentHeader,
  verifyAuthorization,
} from './index.js';

const verifier = await loadSignatureVerifier();
const challenge = formatPaymentRequired([termsWith({ description: 'Prévision 🌦' })], { error: 'payment/required' });

function officialClient(): x402HTTPClient {
  const client = new x402Client();
  client.register('eip155:*', new ExactEvmScheme(payer));
  for (const { name } of networks) client.registerV1(name, new ExactEvmSchemeV1(payer));
  return new x402HTTPClient(client);
}

test('the header is base64 of the version 2 challenge, which the official schema takes', () => {
  const decoded: unknown = JSON.parse(Buffer.from(challenge.header, 'base64').toString('utf8'));
  expect(decoded).toEqual(challenge.v2);
  expect(PaymentRequiredV2Schema.parse(decoded)).toEqual(challenge.v2);
  expect(challenge.v2).toEqual({
    x402Version: 2,
    error: 'payment/required',
    resource: { url: 'https://api.example.com/v1/forecast', description: 'Prévision 🌦', mimeType: 'application/json' },
    accepts: [
      {
        scheme: 'exact',
        network: 'eip155:84532',
        amount: '1000',
        asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
        payTo: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C',
        maxTimeoutSeconds: 60,
        extra: { name: 'USDC', version: '2' },
      },
    ],
  });
});

test('the body has all that a version 1 client insists on: strings, a URL, a known network and no null', () => {
  expect(PaymentRequiredV1Schema.parse(challenge.v1)).toEqual(challenge.v1);
  const [offer] = challenge.v1.accepts;
  expect(challenge.v1.accepts).toHaveLength(1);
  expect(offer).toEqual({
    scheme: 'exact',
    network: 'base-sepolia',
    maxAmountRequired: '1000',
    resource: 'https://api.example.com/v1/forecast',
    description: 'Prévision 🌦',
    mimeType: 'application/json',
    payTo: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C',
    maxTimeoutSeconds: 60,
    asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
    extra: { name: 'USDC', version: '2' },
  });
  expect(URL.canParse(offer?.resource ?? '')).toBe(true);
  expect(JSON.stringify(challenge.v1)).not.toContain('null');
});

const clients = networks.flatMap(({ name }) => [
  { name, version: 2 as const, header: 'PAYMENT-SIGNATURE' as const },
  { name, version: 1 as const, header: 'X-PAYMENT' as const },
]);

test.each(clients)(
  'the official client of version $version signs our offer on $name, and we take its payment',
  async (row) => {
    const terms = termsWith({ network: networkOf(row.name) });
    const { header, v1 } = formatPaymentRequired([terms], { error: 'payment/required' });
    const http = officialClient();
    const required =
      row.version === 2
        ? http.getPaymentRequiredResponse((name) => (name === 'PAYMENT-REQUIRED' ? header : null))
        : http.getPaymentRequiredResponse(() => null, v1);
    const payload = await http.createPaymentPayload(required);
    const headers: Partial<Record<string, string>> = http.encodePaymentSignatureHeader(payload);
    const text = headers[row.header satisfies PaymentHeader] ?? '';
    const payment = parsePaymentHeader(row.header, text);
    // The client reads the clock of this machine, so the payment is judged by it.
    const verdict = verifyAuthorization({ ...payment, terms, now: new Date(), verifier });
    expect(verdict).toMatchObject({ ok: true, payer: payer.address.toLowerCase() });
  },
);
