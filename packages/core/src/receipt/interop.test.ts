import { createPublicKey } from 'node:crypto';
import { expect, test } from '@keyfare/jest-preset/globals';
import {
  extractReceiptPayload,
  verifyReceiptMatchesOffer,
  verifyReceiptSignatureJWS,
} from '@x402/extensions/offer-receipt';
import * as fc from 'fast-check';
import { compactVerify, createLocalJWKSet, importJWK } from 'jose';
import {
  documentOf,
  keyReceipt,
  privateKey,
  signer,
  vectors,
  verifyWithOpenSsl,
  x402Receipt,
} from '../../test/documents.js';
import { flipBit } from '../../test/fuzz.js';
import { decodeBase64Url, encodeBase64Url, utf8 } from '../encoding/index.js';
import { formatJwk, signReceipt, verifyReceipt } from './index.js';

const { jwks } = vectors;
const [key] = jwks.keys;
const jws = documentOf('a call on the x402 rail').jws;
const publicKey = createPublicKey(privateKey);

test('the official x402 extension verifies our receipt and reads its own members in it', async () => {
  const receipt = { format: 'jws', signature: jws } as const;
  expect(await verifyReceiptSignatureJWS(receipt, publicKey)).toEqual(x402Receipt);
  const { version, network, resourceUrl, payer, issuedAt, transaction } = x402Receipt;
  expect(extractReceiptPayload(receipt)).toMatchObject({ version, network, resourceUrl, payer, issuedAt, transaction });
});

test('the official x402 extension finds the key of a did:jwk receipt by itself', async () => {
  const { kty, crv, x } = key ?? formatJwk(new Uint8Array(32), '');
  const kid = `did:jwk:${encodeBase64Url(utf8(JSON.stringify({ kty, crv, x })))}#0`;
  const receipt = { format: 'jws', signature: signReceipt(x402Receipt, { kid, sign: signer.sign }) } as const;
  expect(await verifyReceiptSignatureJWS(receipt)).toEqual(x402Receipt);
});

test('the official x402 extension matches our receipt to the offer that was paid', () => {
  const receipt = { format: 'jws', signature: jws } as const;
  const { resourceUrl, network, asset, payTo, amount, payer } = x402Receipt;
  const offer = {
    version: 1,
    resourceUrl,
    scheme: 'exact',
    network,
    asset,
    payTo,
    amount,
    validUntil: 0,
    signedOffer: receipt,
    format: 'jws',
  } as const;
  expect(verifyReceiptMatchesOffer(receipt, offer, [payer], Number.MAX_SAFE_INTEGER)).toBe(true);
});

test('jose finds the key of our receipt by its kid in our key set, whichever name the algorithm has', async () => {
  const found = await compactVerify(jws, createLocalJWKSet({ keys: jwks.keys.map((entry) => ({ ...entry })) }), {
    algorithms: ['EdDSA', 'Ed25519'],
  });
  expect(found.protectedHeader).toEqual({ alg: 'EdDSA', kid: signer.kid, typ: 'keyfare-receipt+jws' });
  expect(JSON.parse(Buffer.from(found.payload).toString())).toEqual(x402Receipt);
});

test('OpenSSL, jose and noble agree on every receipt, genuine or with one bit flipped', async () => {
  const imported = await importJWK({ ...key }, 'EdDSA');
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 511 }), fc.nat({ max: 10 ** 9 }), fc.boolean(), async (bit, units, genuine) => {
      const text = signReceipt({ ...keyReceipt, units }, signer);
      const signature = decodeBase64Url(text.slice(text.lastIndexOf('.') + 1));
      const tail = encodeBase64Url(genuine ? signature : flipBit(signature, bit));
      const presented = `${text.slice(0, text.lastIndexOf('.'))}.${tail}`;
      const byJose = await compactVerify(presented, imported).then(
        () => true,
        () => false,
      );
      expect(byJose).toBe(genuine);
      expect(verifyReceipt(presented, jwks).ok).toBe(genuine);
      expect(verifyReceipt(presented, jwks, { verifyEd25519: verifyWithOpenSsl }).ok).toBe(genuine);
    }),
    { numRuns: 40 },
  );
});

test('a signature by the identity point, which ZIP 215 would take for any message, is refused', () => {
  const identity = new Uint8Array(32).fill(1, 0, 1);
  const forged = new Uint8Array(64);
  forged.set(identity);
  const smallOrder = { keys: [formatJwk(identity, signer.kid)] };
  const body = jws.slice(0, jws.lastIndexOf('.'));
  expect(verifyReceipt(`${body}.${encodeBase64Url(forged)}`, smallOrder)).toMatchObject({
    ok: false,
    reason: 'unknown-key',
  });
});
