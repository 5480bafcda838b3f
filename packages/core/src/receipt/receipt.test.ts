import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { documentOf, keyReceipt, signer, vectors, verifyWithOpenSsl, x402Receipt } from '../../test/documents.js';
import { anyMutation, anyText, codeOf, flipBit } from '../../test/fuzz.js';
import { canonicalJson, decodeBase64Url, encodeBase64Url, utf8 } from '../encoding/index.js';
import {
  assembleReceipt,
  formatDigest,
  formatSigningInput,
  maxDocumentLength,
  parseReceipt,
  type ReceiptPayload,
  signReceipt,
  verifyReceipt,
  type X402Receipt,
} from './index.js';

const { jwks } = vectors;
const calls = vectors.documents.filter((document) => document.kind === 'call');
const receipt = documentOf('a call on the x402 rail').jws;
const reasons = new Set(['malformed', 'unknown-key', 'bad-signature']);

test.each(calls)('$title is signed to the very text of the vector', ({ payload, jws }) => {
  expect(signReceipt(payload as ReceiptPayload, signer)).toBe(jws);
});

test.each(calls)('$title verifies, and says what was signed', ({ payload, jws }) => {
  expect(verifyReceipt(jws, jwks)).toEqual({ ok: true, payload, kid: signer.kid });
  expect(parseReceipt(jws)).toMatchObject({
    header: { alg: 'EdDSA', kid: signer.kid, typ: 'keyfare-receipt+jws' },
    payload,
    signingInput: jws.slice(0, jws.lastIndexOf('.')),
  });
});

test.each(vectors.refused)('refused as $reason: $title', ({ jws, reason }) => {
  for (const verifyEd25519 of [undefined, verifyWithOpenSsl]) {
    expect(verifyReceipt(jws, jwks, { verifyEd25519 })).toMatchObject({ ok: false, reason });
  }
  expect(codeOf(() => parseReceipt(jws))).toBe(reason === 'malformed' ? 'receipt/malformed' : null);
});

test('the signing input and the signature make the receipt', () => {
  const { kid } = signer;
  const input = formatSigningInput({ kid, typ: 'keyfare-receipt+jws' }, x402Receipt);
  expect(assembleReceipt(input, signer.sign(utf8(input)))).toBe(receipt);
  expect(() => assembleReceipt(input, new Uint8Array(63))).toThrow(RangeError);
});

test('the header follows the key when a signer is rotated, however many there are', () => {
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < 40; index += 1) {
      const kid = `did:web:api.example.com#key-${index}`;
      const jws = signReceipt(keyReceipt, { kid, sign: () => new Uint8Array(64) });
      expect(parseReceipt(jws).header.kid).toBe(kid);
    }
  }
});

test('any one flipped bit, in header, payload or signature, spoils a receipt', () => {
  const parts = receipt.split('.').map((part) => decodeBase64Url(part));
  expect(verifyReceipt(receipt, jwks, { verifyEd25519: verifyWithOpenSsl }).ok).toBe(true);
  for (const [index, part] of parts.entries()) {
    for (let bit = 0; bit < part.length * 8; bit += 1) {
      const flipped = parts.map((other, at) => encodeBase64Url(at === index ? flipBit(other, bit) : other));
      expect(verifyReceipt(flipped.join('.'), jwks, { verifyEd25519: verifyWithOpenSsl }).ok).toBe(false);
    }
  }
});

test('one flipped bit in the signature, the payload or the key is a bad signature', () => {
  const [head = '', body = '', tail = ''] = receipt.split('.');
  const signature = decodeBase64Url(tail);
  for (let bit = 0; bit < 512; bit += 13) {
    const jws = `${head}.${body}.${encodeBase64Url(flipBit(signature, bit))}`;
    expect(verifyReceipt(jws, jwks)).toMatchObject({ ok: false, reason: 'bad-signature' });
  }
  const [key] = jwks.keys;
  for (let bit = 0; bit < 256; bit += 11) {
    const x = encodeBase64Url(flipBit(decodeBase64Url(key?.x ?? ''), bit));
    expect(verifyReceipt(receipt, { keys: [{ kty: 'OKP', crv: 'Ed25519', use: 'sig', kid: signer.kid, x }] }).ok).toBe(
      false,
    );
  }
  const claims: readonly Partial<typeof x402Receipt>[] = [{ amount: '1001' }, { units: 2 }, { status: 201 }];
  for (const claim of claims) {
    const changed = encodeBase64Url(utf8(canonicalJson({ ...x402Receipt, ...claim })));
    expect(verifyReceipt(`${head}.${changed}.${tail}`, jwks)).toMatchObject({ ok: false, reason: 'bad-signature' });
  }
});

test('a key that is no key is an unknown key', () => {
  for (const x of ['', 'AAAA', 'not base64!', `${'A'.repeat(43)}=`]) {
    const verdict = verifyReceipt(receipt, {
      keys: [{ kty: 'OKP', crv: 'Ed25519', use: 'sig', kid: signer.kid, x }],
    });
    expect(verdict).toMatchObject({ ok: false, reason: 'unknown-key' });
  }
  expect(verifyReceipt(receipt, { keys: [] })).toMatchObject({ ok: false, reason: 'unknown-key' });
});

test('a payload that could not be read back is never signed', () => {
  const wrong: readonly object[] = [
    { ...keyReceipt, amount: '1000' },
    { ...keyReceipt, id: 'receipt-1' },
    { ...keyReceipt, units: 1.5 },
    { ...keyReceipt, units: -1 },
    { ...keyReceipt, resourceUrl: '/v1/forecast' },
    { ...keyReceipt, responseDigest: 'sha-256=:AAAA=:' },
    { ...x402Receipt, payTo: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C' },
    { ...x402Receipt, principal: `0x${'1'.repeat(40)}` },
    { ...x402Receipt, amount: '01' },
    { ...x402Receipt, transaction: undefined },
    { ...x402Receipt, account: undefined },
    { ...keyReceipt, sku: 'fore\u0000cast' },
  ];
  const untouched = {
    kid: signer.kid,
    sign: () => {
      throw new Error('asked to sign');
    },
  };
  for (const payload of wrong) expect(() => signReceipt(payload as ReceiptPayload, untouched)).toThrow(TypeError);
  for (const kid of ['key-1', `did:web:${'k'.repeat(8000)}#1`]) {
    expect(() => signReceipt(keyReceipt, { ...untouched, kid })).toThrow(TypeError);
  }
});

test('the longest receipt that the schema allows can still be read', () => {
  const wide = 'w'.repeat(128);
  const kid = `did:web:${'k'.repeat(200)}#1`;
  const longest: ReceiptPayload = {
    ...x402Receipt,
    account: wide,
    sku: wide,
    method: 'M'.repeat(16),
    resourceUrl: `https://${'u'.repeat(2040)}`,
    requestDigest: keyReceipt.responseDigest,
    amount: '9'.repeat(78),
    units: Number.MAX_SAFE_INTEGER,
  };
  const jws = signReceipt(longest, { kid, sign: signer.sign });
  expect(jws.length).toBeLessThanOrEqual(maxDocumentLength);
  expect(parseReceipt(jws).payload).toEqual(longest);
});

test('the members of a payload may come in any order and are signed in one', () => {
  const reversed = Object.fromEntries(Object.entries(keyReceipt).toReversed()) as ReceiptPayload;
  expect(signReceipt(reversed, signer)).toBe(signReceipt(keyReceipt, signer));
});

test('whatever the text, a receipt is refused with its own code, or is the one spelling of what it says', () => {
  const text = fc.oneof(anyText, fc.constantFrom(...calls.map(({ jws }) => jws)).chain(anyMutation));
  fc.assert(
    fc.property(text, (jws) => {
      const code = codeOf(() => parseReceipt(jws));
      expect([null, 'receipt/malformed']).toContain(code);
      const verdict = verifyReceipt(jws, jwks, { verifyEd25519: verifyWithOpenSsl });
      expect(verdict.ok || reasons.has(verdict.reason)).toBe(true);
      expect(code ?? encodeBase64Url(utf8(canonicalJson(parseReceipt(jws).payload)))).toBe(
        code === null ? jws.split('.')[1] : 'receipt/malformed',
      );
    }),
    { numRuns: 600 },
  );
});

test('whatever JSON is signed in place of a receipt, it is refused with the code of receipts or is one', () => {
  const member = fc.constantFrom(...Object.keys(x402Receipt), '__proto__', 'constructor', 'amount');
  const payload = fc.oneof(
    fc.jsonValue(),
    fc.tuple(member, fc.jsonValue()).map(([name, value]) => withMember(x402Receipt, name, value)),
    fc.string({ unit: 'binary' }).map((sku) => withMember(keyReceipt, 'sku', sku)),
  );
  const [head = '', , tail = ''] = receipt.split('.');
  fc.assert(
    fc.property(payload, (value) => {
      const jws = `${head}.${encodeBase64Url(utf8(JSON.stringify(value)))}.${tail}`;
      expect([null, 'receipt/malformed']).toContain(codeOf(() => parseReceipt(jws)));
    }),
    { numRuns: 600 },
  );
});

function withMember(payload: object, name: string, value: unknown): object {
  return Object.fromEntries([...Object.entries(payload), [name, value]]);
}

test('a digest is written as RFC 9530 writes it', () => {
  const empty = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const bytes = Uint8Array.from(Buffer.from(empty.slice(2), 'hex'));
  expect(formatDigest(bytes)).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:');
  expect(() => formatDigest(new Uint8Array(20))).toThrow(RangeError);
});

test('a receipt names a transaction exactly when its payment is settled', () => {
  const { transaction, ...rest } = x402Receipt;
  const deferred = { ...rest, settlement: 'deferred' } as const;
  expect(parseReceipt(signReceipt(deferred, signer)).payload).toEqual(deferred);
  expect(() => signReceipt({ ...deferred, transaction } as X402Receipt, signer)).toThrow(TypeError);
  expect(() => signReceipt(rest as X402Receipt, signer)).toThrow(TypeError);
});

test('a receipt of a free call names a wallet or nobody, and no amount but nothing', () => {
  const { principal: _account, ...call } = keyReceipt;
  const free = { ...call, rail: 'free', principal: 'anonymous', amount: '0' } as const;
  for (const principal of ['anonymous', x402Receipt.payer]) {
    const payload = { ...free, principal };
    expect(verifyReceipt(signReceipt(payload, signer), jwks)).toEqual({ ok: true, payload, kid: signer.kid });
  }
  const wrong = [
    { ...free, principal: '192.0.2.1' },
    { ...free, amount: '1' },
    { ...free, payer: x402Receipt.payer },
  ];
  for (const payload of wrong) expect(() => signReceipt(payload as ReceiptPayload, signer)).toThrow(TypeError);
});
