import { type DocumentKind, type Envelope, parseDocument, type ReceiptSigner, signDocument } from './envelope.js';
import type { Jwks } from './jwks.js';
import { type ReceiptPayload, receiptPayload } from './payload.js';
import { type Verdict, type VerifyOptions, verifyDocument } from './verify.js';

const receiptKind: DocumentKind<ReceiptPayload> = {
  typ: 'keyfare-receipt+jws',
  schema: receiptPayload,
  code: 'receipt/malformed',
};

/**
 * The receipt over `payload`, a compact JWS. The same payload and key give the same text. A payload that
 * `parseReceipt` would refuse is a bug and is not signed: TypeError.
 */
export function signReceipt(payload: ReceiptPayload, signer: ReceiptSigner): string {
  return signDocument(receiptKind, payload, signer);
}

/**
 * Reads a receipt without checking its signature: for who wrote it himself. Refuses anything but the one canonical
 * spelling of at most 8 KiB: Problem `receipt/malformed`.
 */
export function parseReceipt(jws: string): Envelope<ReceiptPayload> {
  return parseDocument(jws, receiptKind);
}

/**
 * Whether one of `keys` signed this receipt, and what it says. It proves nothing about who owns the keys: take them
 * from the host that the receipt's `resourceUrl` names, or from a list you trust. Total.
 */
export function verifyReceipt(jws: string, keys: Jwks, options: VerifyOptions = {}): Verdict<ReceiptPayload> {
  return verifyDocument(jws, keys, { kind: receiptKind, ...options });
}
