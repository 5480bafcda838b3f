import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { canonicalJson } from '../encoding/index.js';
import { type ReceiptPayload, receiptPayload, receiptTemplate } from './index.js';

const printable = (from: number, maxLength: number) =>
  fc
    .array(fc.integer({ min: from, max: 0x7e }), { minLength: 1, maxLength })
    .map((codes) => String.fromCharCode(...codes));
const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...Array.from({ length: 16 }, (_, digit) => digit.toString(16))), {
      minLength: length,
      maxLength: length,
    })
    .map((digits) => `0x${digits.join('')}`);
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `sha-256=:${Buffer.from(bytes).toString('base64')}:`);
const identifier = printable(0x21, 40);
const call = {
  version: fc.constant(1 as const),
  id: fc.uuid({ version: [4, 7] }),
  sku: identifier,
  method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  resourceUrl: printable(0x21, 300).map((path) => `https://api.example/${path}`),
  status: fc.integer({ min: 200, max: 399 }),
  units: fc.nat(),
  responseDigest: digest,
  issuedAt: fc.nat(),
};
const address = hex(40);
const payer = { payer: address, principal: address };
const keyReceipt = fc.record(
  { ...call, rail: fc.constant('key' as const), principal: identifier, requestDigest: digest },
  { requiredKeys: [...(Object.keys(call) as (keyof typeof call)[]), 'rail', 'principal'] },
);
const paidReceipt = fc
  .record(
    {
      ...call,
      ...payer,
      rail: fc.constant('x402' as const),
      requestDigest: digest,
      account: identifier,
      network: fc.constantFrom('eip155:8453', 'eip155:84532'),
      asset: address,
      decimals: fc.integer({ min: 0, max: 36 }),
      amount: fc.bigInt({ min: 0n, max: 2n ** 200n }).map(String),
      payTo: address,
      nonce: hex(64),
      settlement: fc.constantFrom('settled' as const, 'deferred' as const),
      transaction: hex(64),
    },
    {
      requiredKeys: [
        ...(Object.keys(call) as (keyof typeof call)[]),
        ...([
          'rail',
          'payer',
          'principal',
          'network',
          'asset',
          'decimals',
          'amount',
          'payTo',
          'nonce',
          'settlement',
          'transaction',
        ] as const),
      ],
    },
  )
  .map(({ transaction, ...receipt }) => {
    receipt.principal = receipt.payer;
    return receipt.settlement === 'settled' ? Object.assign(receipt, { transaction }) : receipt;
  });

const freeReceipt = fc.record(
  {
    ...call,
    rail: fc.constant('free' as const),
    principal: fc.oneof(address, fc.constant('anonymous')),
    amount: fc.constant('0'),
    requestDigest: digest,
  },
  { requiredKeys: [...(Object.keys(call) as (keyof typeof call)[]), 'rail', 'principal', 'amount'] },
);

describe('a receipt template', () => {
  it('writes what canonical JSON writes, for every payload that the schema takes', () => {
    fc.assert(
      fc.property(fc.oneof(keyReceipt, paidReceipt, freeReceipt), (value) => {
        const payload = receiptPayload.parse(value);
        expect(receiptTemplate(payload)(payload)).toBe(canonicalJson(payload));
      }),
      { numRuns: 500 },
    );
  });

  it('escapes the two characters of printable ASCII that JSON escapes', () => {
    const [payload] = fc.sample(keyReceipt, 1);
    const odd = { ...payload, resourceUrl: 'https://api.example/?a="b"&c=\\d' } as ReceiptPayload;
    expect(receiptTemplate(odd)(odd)).toBe(canonicalJson(odd));
    expect(JSON.parse(receiptTemplate(odd)(odd))).toEqual(odd);
  });

  it('never writes a URL with characters that the schema refuses', () => {
    const [payload] = fc.sample(keyReceipt, 1);
    for (const character of ['ü', '東', '\u0000', '\u007f', '\ud800']) {
      const odd = { ...payload, resourceUrl: `https://api.example/?a=${character}` } as ReceiptPayload;
      expect(receiptPayload.safeParse(odd).success).toBe(false);
      expect(() => receiptTemplate(odd)(odd)).toThrow(TypeError);
    }
  });
});
