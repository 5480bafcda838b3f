import { createPublicKey } from 'node:crypto';
import { expect, test } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { calculateJwkThumbprint } from 'jose';
import { privateKey, signer, vectors } from '../../test/documents.js';
import { codeOf } from '../../test/fuzz.js';
import { decodeBase64Url } from '../encoding/index.js';
import { formatJwk, parseJwks, thumbprint } from './index.js';

const { jwks } = vectors;
const [key] = jwks.keys;

test('the JWK of a key is the one that OpenSSL exports, with kid and use and without alg', () => {
  const exported = createPublicKey(privateKey).export({ format: 'jwk' });
  const jwk = formatJwk(decodeBase64Url(exported.x ?? ''), signer.kid);
  expect(jwk).toEqual({ ...exported, kid: signer.kid, use: 'sig' });
  expect(jwk).toEqual(key);
  expect(() => formatJwk(new Uint8Array(33), signer.kid)).toThrow(RangeError);
});

test('the thumbprint is that of RFC 7638, as jose computes it', async () => {
  // The example of RFC 8037, appendix A.3.
  const example = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const;
  expect(thumbprint(example)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  expect(key === undefined ? '' : thumbprint(key)).toBe(vectors.thumbprint);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (bytes) => {
      const jwk = formatJwk(bytes, signer.kid);
      expect(thumbprint(jwk)).toBe(await calculateJwkThumbprint({ ...jwk }));
    }),
  );
});

test('a key set keeps the keys that can verify receipts and passes over the others', () => {
  const foreign: readonly unknown[] = [
    { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'did:web:a#1' },
    { ...key, use: 'enc' },
    { ...key, alg: 'ES256' },
    { ...key, kid: 'key-1' },
    { ...key, x: 'AAAA' },
    { ...key, crv: 'X25519' },
    null,
    'key',
  ];
  const widened = { ...key, alg: 'Ed25519', key_ops: ['verify'], nbf: 1 };
  expect(parseJwks({ keys: [...foreign, widened] })).toEqual({ keys: [key] });
});

test('what is no key set is refused', () => {
  for (const value of [null, undefined, [], {}, { keys: {} }, 'keys', { keys: Array.from({ length: 1001 }) }]) {
    expect(codeOf(() => parseJwks(value))).toBe('receipt/malformed');
  }
});

test('whatever the value, a key set is refused with the code of receipts or holds whole keys', () => {
  const entry = fc.record({ kty: fc.constantFrom('OKP', 'RSA'), x: fc.base64String(), kid: fc.string() });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.record({ keys: fc.array(fc.oneof(fc.jsonValue(), entry)) })), (value) => {
      expect([null, 'receipt/malformed']).toContain(codeOf(() => parseJwks(value)));
    }),
    { numRuns: 300 },
  );
});
