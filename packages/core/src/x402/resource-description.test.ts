import { expect, test } from '@keyfare/jest-preset/globals';
import { PaymentRequiredV1Schema, PaymentRequiredV2Schema } from '@x402/core/schemas';
import { termsWith } from '../../test/payer.js';
import { describeResource, formatPaymentRequired, longestExtendedHeader } from './index.js';

const wide = { bazaar: { text: 'é'.repeat(600) } };
const lean = { bazaar: { text: 'lean' } };
const outputSchema = { input: { type: 'http', method: 'GET' } };
const about = describeResource([wide, lean], { outputSchema, link: '</openapi.json>; rel="service-desc"' });

function challengeFor(resourceUrl: string) {
  return formatPaymentRequired([termsWith({ about, resourceUrl })], { error: 'payment/required' });
}

test('a 402 carries the fullest extensions that leave its header within the bound, and none where none fits', () => {
  const origin = 'https://api.example.com/';
  const found = [0, 800, 1_700].map((more) => challengeFor(origin + 'x'.repeat(more)));
  expect(found.map(({ v2 }) => v2.extensions)).toEqual([wide, lean, undefined]);
  expect(found.slice(0, 2).every(({ header }) => header.length <= longestExtendedHeader)).toBe(true);
  for (const { header, v2 } of found) {
    const decoded: unknown = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
    expect(decoded).toEqual(v2);
    expect(PaymentRequiredV2Schema.parse(decoded)).toEqual(v2);
  }
});

test('an offer of version 1 says what the route takes and answers, and its official schema takes it', () => {
  const { v1 } = challengeFor('https://api.example.com/');
  expect(v1.accepts[0]?.outputSchema).toBe(outputSchema);
  expect(PaymentRequiredV1Schema.parse(v1)).toEqual(v1);
});
