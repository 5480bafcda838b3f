import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { type CheckSignature, checkInOpenSsl, checkSignature, loadSodium, publicKeyOf } from './verify-ed25519.js';

const sodium = loadSodium() as CheckSignature;

function newKey(): { readonly privateKey: KeyObject; readonly publicKey: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: publicKeyOf(publicKey.export({ format: 'jwk' }).x ?? '') };
}

/** S plus the order of the group: the same signature to whoever does not look (RFC 8032, section 5.1.7). */
function withOrderAdded(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const little = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);
  const s = (little(signature.subarray(32)) + order).toString(16).padStart(64, '0');
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s, 'hex').toReversed()]);
}

describe('the check of signatures', () => {
  it('runs in libsodium here, which is what all of billing uses', () => {
    const { privateKey, publicKey } = newKey();
    const message = Buffer.from('a call');
    expect(sodium).not.toBeNull();
    expect(checkSignature(sign(null, message, privateKey), message, publicKey)).toBe(true);
  });

  it.each([
    ['libsodium', sodium],
    ['OpenSSL', checkInOpenSsl],
  ])('%s takes what was signed, and nothing that was changed in one bit, in any place', (_, check) => {
    const { privateKey, publicKey } = newKey();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 900 }), fc.nat(), (message, at) => {
        const signature = sign(null, message, privateKey);
        const flip = (bytes: Uint8Array): Uint8Array => {
          const changed = Uint8Array.from(bytes);
          const place = at % (changed.length * 8);
          changed[place >> 3] = (changed[place >> 3] ?? 0) ^ (1 << (place & 7));
          return changed;
        };
        expect(check(signature, message, publicKey)).toBe(true);
        expect(check(flip(signature), message, publicKey)).toBe(false);
        expect(check(signature, flip(message), publicKey)).toBe(false);
        expect(check(signature, message, flip(publicKey))).toBe(false);
        expect(check(withOrderAdded(signature), message, publicKey)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['libsodium', sodium],
    ['OpenSSL', checkInOpenSsl],
  ])('%s says no to a key or a signature of another length', (_, check) => {
    const { privateKey, publicKey } = newKey();
    const message = Buffer.from('a call');
    const signature = sign(null, message, privateKey);
    expect(check(signature.subarray(1), message, publicKey)).toBe(false);
    expect(check(Buffer.concat([signature, Buffer.alloc(1)]), message, publicKey)).toBe(false);
    expect(check(signature, message, publicKey.subarray(1))).toBe(false);
    expect(check(signature, message, new Uint8Array(0))).toBe(false);
  });

  it.each([
    [
      'does not load',
      () => {
        throw new Error('no binary for this platform');
      },
    ],
    ['says yes to everything', () => ({ crypto_sign_verify_detached: () => true })],
    ['says no to everything', () => ({ crypto_sign_verify_detached: () => false })],
    ['is something else', () => ({})],
  ])('is left to OpenSSL where libsodium %s', (_, load) => {
    expect(loadSodium(load)).toBeNull();
  });
});
