import { z } from 'zod';
import { encodeBase64 } from '../encoding/index.js';
import { address, bytes32, count, decimalString, digest, identifier, method, network, url, uuid } from './schema.js';

const call = {
  version: z.literal(1),
  id: uuid,
  sku: identifier,
  method,
  resourceUrl: url,
  status: z.int().min(100).max(599),
  units: count,
  requestDigest: digest.exactOptional(),
  responseDigest: digest,
  issuedAt: count,
};

const keyReceipt = z.strictObject({ ...call, rail: z.literal('key'), principal: identifier });

const x402Receipt = z
  .strictObject({
    ...call,
    rail: z.literal('x402'),
    principal: address,
    account: identifier.exactOptional(),
    network,
    payer: address,
    transaction: bytes32.exactOptional(),
    asset: address,
    decimals: z.int().min(0).max(36),
    amount: decimalString,
    payTo: address,
    nonce: bytes32,
    settlement: z.enum(['settled', 'deferred']),
  })
  .refine(({ principal, payer }) => principal === payer, { error: 'principal must be the payer', path: ['principal'] })
  .refine(({ settlement, transaction }) => (settlement === 'settled') === (transaction !== undefined), {
    error: 'must be there exactly when the payment is settled',
    path: ['transaction'],
  });

/** The principal of a free call whose caller was known by its network address alone, which no receipt keeps. */
export const anonymous = 'anonymous';

const freeReceipt = z.strictObject({
  ...call,
  rail: z.literal('free'),
  principal: z.union([address, z.literal(anonymous)]),
  amount: z.literal('0'),
});

/** The schema of a receipt's payload; strict, for every rail. */
export const receiptPayload: z.ZodDiscriminatedUnion<
  [typeof keyReceipt, typeof x402Receipt, typeof freeReceipt],
  'rail'
> = z.discriminatedUnion('rail', [keyReceipt, x402Receipt, freeReceipt]);

/**
 * What we sign of a call that was served. On the key rail `principal` is the account and there is no amount: the plan
 * rates the units when the period is billed. On the x402 rail it has the members of x402's own receipt (extension
 * offer-receipt, section 5.2) and the money; all hex is lower-case, `amount` is in atomic units of the asset. On the
 * free rail `principal` is the wallet that showed a payment, or `anonymous`; nothing moved.
 */
export type ReceiptPayload = z.infer<typeof receiptPayload>;

/** The receipt of a call that an account's plan covers. */
export type KeyReceipt = z.infer<typeof keyReceipt>;

/** The receipt of a call that a wallet paid for. */
export type X402Receipt = z.infer<typeof x402Receipt>;

/** The receipt of a call that the route gave away. */
export type FreeReceipt = z.infer<typeof freeReceipt>;

/**
 * A SHA-256 digest as receipts and the `Content-Digest` header write it (RFC 9530, section 2). 32 bytes, or RangeError.
 */
export function formatDigest(sha256: Uint8Array): string {
  if (sha256.length !== 32) throw new RangeError('A SHA-256 digest has 32 bytes.');
  return `sha-256=:${encodeBase64(sha256)}:`;
}
