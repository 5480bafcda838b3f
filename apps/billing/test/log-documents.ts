import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { type Ed25519Jwk, type KeyReceipt, type ReceiptSigner, thumbprint } from '@keyfare/core/receipt';
import { unixSeconds } from '@keyfare/core/time';
import { findNetwork } from '@keyfare/core/x402';

export const network = 'eip155:84532';
export const usdc = findNetwork(network)?.usdc.address ?? '0x';
export const resourceUrl = 'http://api.test/v1/forecast';
export const responseDigest = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';

/** A signing key of the API. */
export function makeSigner(): { readonly signer: ReceiptSigner; readonly jwk: Ed25519Jwk } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const kid = `did:web:api.test#${thumbprint({ kty: 'OKP', crv: 'Ed25519', x })}`;
  return {
    signer: { kid, sign: (bytes) => Uint8Array.from(sign(null, bytes, privateKey)) },
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig' },
  };
}

/** The receipt of a call by key. */
export function keyReceipt(account: string, { units, sku, at }: { units: number; sku: string; at: Date }): KeyReceipt {
  return {
    version: 1,
    id: randomUUID(),
    rail: 'key',
    principal: account,
    sku,
    method: 'GET',
    resourceUrl,
    status: 200,
    units,
    responseDigest,
    issuedAt: unixSeconds(at),
  };
}

export function randomNonce(): string {
  return `0x${randomBytes(32).toString('hex')}`;
}

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
