import { z } from 'zod';
import { type DocumentKind, type Envelope, parseDocument, signDocument } from '../receipt/envelope.js';
import type { Jwks, ReceiptPayload, ReceiptSigner, Verdict, VerifyOptions } from '../receipt/index.js';
import { receiptPayload } from '../receipt/payload.js';
import { address, bytes32, count, decimalString, identifier, method, network, url, uuid } from '../receipt/schema.js';
import { verifyDocument } from '../receipt/verify.js';

/**
 * What an entry records: a call that was served, terms that apply from now on, a call that was never paid for, a
 * deferred payment that has moved, money that is owed back, or a settlement that the chain dropped.
 */
export type EntryKind = 'call' | 'terms' | 'unpaid' | 'settlement' | 'refund-due' | 'reversed';

/** Wider than `nameText`, which the edge asks: entries that were signed before it have outer blanks. */
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
  /** From when on nothing is sold to the account; absent: no end was agreed. */
  endsAt: count.exactOptional(),
  issuedAt: count,
});

const payment = {
  version: z.literal(1),
  id: uuid,
  network,
  payer: address,
  payTo: address,
  asset: address,
  nonce: bytes32,
  amount: decimalString,
  issuedAt: count,
};

/** The schema of a `settlement` payload; strict. */
const settlementPayload = z.strictObject({ ...payment, call: uuid, transaction: bytes32 });

/** The schema of a `refund-due` payload; strict. */
const refundDuePayload = z.strictObject({
  ...payment,
  transaction: bytes32,
  sku: identifier,
  method,
  resourceUrl: url,
  reason: identifier,
});

/** The schema of a `reversed` payload; strict. */
const reversedPayload = z.strictObject({ ...payment, call: uuid, transaction: bytes32, reason: identifier });

/** The schema of an `unpaid` payload; strict. */
export const unpaidPayload = z.strictObject({
  ...payment,
  call: uuid.exactOptional(),
  sku: identifier,
  method,
  resourceUrl: url,
  reason: identifier,
  transaction: bytes32.exactOptional(),
});

/** The terms of an account from `effectiveAt` on. Units and prices are decimal strings; prices in micro-dollars. */
export type TermsPayload = z.infer<typeof termsPayload>;

/** A call whose handler ran and whose settlement failed for good: work that was given away, with the reason's code. */
export type UnpaidPayload = z.infer<typeof unpaidPayload>;

/** The payment of a deferred call has moved. */
export type SettlementPayload = z.infer<typeof settlementPayload>;

/** Money moved and nothing was served for it. */
export type RefundDuePayload = z.infer<typeof refundDuePayload>;

/** A settlement that a receipt or an entry named was dropped by the chain for good. */
export type ReversedPayload = z.infer<typeof reversedPayload>;

/** The payload of each kind of entry. */
export interface EntryPayloads {
  readonly call: ReceiptPayload;
  readonly terms: TermsPayload;
  readonly unpaid: UnpaidPayload;
  readonly settlement: SettlementPayload;
  readonly 'refund-due': RefundDuePayload;
  readonly reversed: ReversedPayload;
}

const kinds: { readonly [Kind in EntryKind]: DocumentKind<EntryPayloads[Kind]> } = {
  call: { typ: 'keyfare-receipt+jws', schema: receiptPayload, code: 'log/malformed' },
  terms: { typ: 'keyfare-terms+jws', schema: termsPayload, code: 'log/malformed' },
  unpaid: { typ: 'keyfare-unpaid+jws', schema: unpaidPayload, code: 'log/malformed' },
  settlement: { typ: 'keyfare-settlement+jws', schema: settlementPayload, code: 'log/malformed' },
  'refund-due': { typ: 'keyfare-refund-due+jws', schema: refundDuePayload, code: 'log/malformed' },
  reversed: { typ: 'keyfare-reversed+jws', schema: reversedPayload, code: 'log/malformed' },
};

/**
 * The signed document of an entry, a compact JWS. A payload outside the schema is a bug and is not signed: TypeError.
 */
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

/**
 * Whether one of `keys` signed this entry as one of its kind: terms never pass for a receipt, nor the reverse. Total.
 */
export function verifyEntry<Kind extends EntryKind>(
  jws: string,
  { kind, keys, verifyEd25519 }: EntryQuestion<Kind>,
): Verdict<EntryPayloads[Kind]> {
  return verifyDocument(jws, keys, { kind: kinds[kind], verifyEd25519 });
}
