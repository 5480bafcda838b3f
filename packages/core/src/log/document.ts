import { z } from 'zod';
import { type DocumentKind, type Envelope, parseDocument, signDocument } from '../receipt/envelope.js';
import type { Jwks, ReceiptPayload, ReceiptSigner, Verdict, VerifyOptions } from '../receipt/index.js';
import { receiptPayload } from '../receipt/payload.js';
import { address, bytes32, count, decimalString, identifier, method, network, url, uuid } from '../receipt/schema.js';
import { verifyDocument } from '../receipt/verify.js';

/** What an entry records: a call that was served, terms that apply from now on, or a call that was never paid for. */
export type EntryKind = 'call' | 'terms' | 'unpaid';

// People read this name on invoices, so it may be in any script; control characters would break the lines it stands in.
const displayName = z.string().regex(/^[^\p{Cc}\p{Surrogate}]{1,200}$/u, 'must be text without control characters');

/** The schema of a `terms` payload; strict. */
export const termsPayload = z.strictObject({
  version: z.literal(1),
  id: uuid,
  account: identifier,
  accountName: displayName,
  plan: z.strictObject({ id: identifier, slug: identifier, version: count }),
  includedUnits: decimalString,
  overage: z.enum(['reject', 'invoice', 'x402']),
  overagePrice: decimalString,
  monthlyPrice: decimalString,
  /** Counts the account's changes of terms, strictly increasing; absent (before it was introduced) is 0. */
  revision: count.exactOptional(),
  effectiveAt: count,
  issuedAt: count,
});

/** The schema of an `unpaid` payload; strict. */
export const unpaidPayload = z.strictObject({
  version: z.literal(1),
  id: uuid,
  network,
  payer: address,
  payTo: address,
  asset: address,
  nonce: bytes32,
  amount: decimalString,
  sku: identifier,
  method,
  resourceUrl: url,
  reason: identifier,
  transaction: bytes32.exactOptional(),
  issuedAt: count,
});

/** The terms of an account from `effectiveAt` on. Units and prices are decimal strings; prices in micro-dollars. */
export type TermsPayload = z.infer<typeof termsPayload>;

/** A call whose handler ran and whose settlement failed for good: work that was given away, with the reason's code. */
export type UnpaidPayload = z.infer<typeof unpaidPayload>;

/** The payload of each kind of entry. */
export interface EntryPayloads {
  readonly call: ReceiptPayload;
  readonly terms: TermsPayload;
  readonly unpaid: UnpaidPayload;
}

const kinds: { readonly [Kind in EntryKind]: DocumentKind<EntryPayloads[Kind]> } = {
  call: { typ: 'keyfare-receipt+jws', schema: receiptPayload, code: 'log/malformed' },
  terms: { typ: 'keyfare-terms+jws', schema: termsPayload, code: 'log/malformed' },
  unpaid: { typ: 'keyfare-unpaid+jws', schema: unpaidPayload, code: 'log/malformed' },
};

/** The signed document of an entry, a compact JWS. A payload outside the schema is a bug and is not signed: TypeError. */
export function signEntry<Kind extends EntryKind>(
  kind: Kind,
  payload: EntryPayloads[Kind],
  signer: ReceiptSigner,
): string {
  return signDocument(kinds[kind], payload, signer);
}

/** Reads the document of an entry without checking its signature. Problem `log/malformed`. */
export function parseEntry<Kind extends EntryKind>(kind: Kind, jws: string): Envelope<EntryPayloads[Kind]> {
  return parseDocument(jws, kinds[kind]);
}

/** What a verification of an entry needs besides its text. */
export interface EntryQuestion<Kind extends EntryKind> extends VerifyOptions {
  readonly kind: Kind;
  readonly keys: Jwks;
}

/** Whether one of `keys` signed this entry as one of its kind: terms never pass for a receipt, nor the reverse. Total. */
export function verifyEntry<Kind extends EntryKind>(
  jws: string,
  { kind, keys, verifyEd25519 }: EntryQuestion<Kind>,
): Verdict<EntryPayloads[Kind]> {
  return verifyDocument(jws, keys, { kind: kinds[kind], verifyEd25519 });
}
