import { writeHex } from '../encoding/hex.js';
import { encodeHex, type Hex } from '../encoding/index.js';
import type { ProblemCode } from '../problem/index.js';
import type { SignatureVerifier } from './engine.js';
import type { Address } from './network.js';
import type { Authorization, PaymentTerms, PresentedPayment } from './payment.js';
import { separatorOf, transferDigest } from './typed-data.js';

/**
 * The verdict on a payment: who paid and the signature as the chain takes it, or the code and sentence of a refusal.
 */
export type PaymentVerdict = { readonly ok: true; readonly payer: Address; readonly signature: Hex } | Refusal;

interface Refusal {
  readonly ok: false;
  readonly code: ProblemCode;
  readonly detail: string;
}

/** What the terms check looks at. A `PresentedPayment` has the first three. */
export interface TermsQuestion {
  readonly authorization: Authorization;
  /** Where the payer says the payment is valid (CAIP-2); unsigned, but a better answer than a wrong signature. */
  readonly network?: string | undefined;
  /** The contract of the token that the payment is signed for, where that is known. */
  readonly asset?: Address | undefined;
  /** The offer that the payer says it accepted (version 2). */
  readonly accepted?: PresentedPayment['accepted'] | undefined;
  readonly terms: PaymentTerms;
  readonly now: Date;
}

/** What the signature check looks at. */
export interface SignatureQuestion {
  readonly authorization: Authorization;
  readonly signature: Hex;
  readonly terms: Pick<PaymentTerms, 'network' | 'asset'>;
  readonly verifier: SignatureVerifier;
}

// The settlement needs a block: an authorization that ends within the next few seconds would revert on the chain. The
// reference facilitator draws the same line (scheme_exact_evm, verification).
const settlementMarginSeconds = 6n;
// What was submitted and reverted is followed until it runs out, and its payer chooses when: it must not be never.
const longestValiditySeconds = 86_400n;
const signatureLength = 132;
const signatureBytes = new Uint8Array(65);
const passed: { readonly ok: true } = Object.freeze({ ok: true });

/**
 * Whether a payment is for these terms, now: cheap checks first, then the signature. The signature is that of a key; a
 * payer whose address has code must be asked on the chain instead (ERC-1271). Nonce and balance are the chain's to
 * tell.
 */
export function verifyAuthorization(question: TermsQuestion & SignatureQuestion): PaymentVerdict {
  const terms = checkTerms(question);
  return terms.ok ? checkSignature(question) : terms;
}

/**
 * Whether the authorization pays exactly `terms` (network, asset, recipient, amount) and can still settle: the contract
 * wants `validAfter < now < validBefore`, strictly, and we keep six seconds for the block; a payment may be valid for a
 * day at most. No cryptography.
 */
export function checkTerms(question: TermsQuestion): typeof passed | Refusal {
  const { authorization, network, asset, accepted, terms, now } = question;
  if (network !== undefined && network !== terms.network.caip2) {
    return refuse('payment/mismatched', `The payment is for ${network}; the price is on ${terms.network.caip2}.`);
  }
  if (asset !== undefined && asset !== terms.asset.address) {
    return refuse('payment/mismatched', `The payment is in another asset than ${terms.asset.symbol}.`);
  }
  if (authorization.to !== terms.payTo.toLowerCase()) {
    return refuse('payment/mismatched', 'The payment is to another recipient than the price names.');
  }
  if (authorization.value !== terms.amount) {
    return refuse(
      'payment/mismatched',
      `The payment is of ${authorization.value} units; the price is ${terms.amount}.`,
    );
  }
  if (accepted !== undefined && !isOffer(accepted, terms)) {
    return refuse('payment/mismatched', 'The offer that the payment accepts is not the price of this request.');
  }
  const seconds = BigInt(Math.floor(now.getTime() / 1000));
  if (authorization.validAfter >= seconds) {
    return refuse(
      'payment/not-yet-valid',
      `The payment is valid after ${authorization.validAfter}, and it is ${seconds}.`,
    );
  }
  if (authorization.validBefore <= seconds + settlementMarginSeconds) {
    return refuse('payment/expired', `The payment is valid before ${authorization.validBefore}, and it is ${seconds}.`);
  }
  if (authorization.validBefore > seconds + longestValiditySeconds) {
    const detail = `The payment is valid for more than a day; sign one for ${terms.maxTimeoutSeconds} seconds.`;
    return refuse('payment/mismatched', detail);
  }
  return passed;
}

/**
 * Whether the key of `authorization.from` signed the authorization for the asset and network of `terms`. The signature
 * that comes back has v 27 or 28, as the contract demands: settle with that one.
 */
export function checkSignature({ authorization, signature, terms, verifier }: SignatureQuestion): PaymentVerdict {
  const { network, asset } = terms;
  if (signature.length !== signatureLength || !signature.startsWith('0x') || !writeHex(signature, signatureBytes, 0)) {
    return refuse('payment/invalid-signature', 'The signature is not 0x-prefixed hex of 65 bytes.');
  }
  const digest = transferDigest(separatorOf(asset, network.chainId), authorization, verifier.keccak256);
  const signer = verifier.recoverAddress(digest, signatureBytes);
  if (signer === null) {
    return refuse(
      'payment/invalid-signature',
      'The signature is malformed: v must be 27 or 28 and s in the lower half.',
    );
  }
  if (signer !== authorization.from) {
    return refuse('payment/invalid-signature', 'The signature is not by the payer, or not over this authorization.');
  }
  return { ok: true, payer: signer, signature: normalised() };
}

/** The offer that a payment is for, or why it is for none. */
export type OfferMatch =
  | { readonly ok: true; readonly terms: PaymentTerms }
  | (Refusal & { readonly terms: PaymentTerms });

/**
 * The first of the offers that the payment pays exactly, by `checkTerms`. Where it pays none, the refusal is that of
 * the offer that came nearest: one that fits but for the time before one that does not fit. No offers: RangeError.
 */
export function matchOffer(question: Omit<TermsQuestion, 'terms'>, offers: readonly PaymentTerms[]): OfferMatch {
  let nearest: (Refusal & { readonly terms: PaymentTerms }) | undefined;
  for (const terms of offers) {
    const verdict = checkTerms({ ...question, terms });
    if (verdict.ok) return { ok: true, terms };
    if (nearest === undefined || (nearest.code === 'payment/mismatched' && verdict.code !== 'payment/mismatched')) {
      nearest = { ...verdict, terms };
    }
  }
  if (nearest === undefined) throw new RangeError('There is no offer to match.');
  return nearest;
}

// The reference server compares offers whole; we compare what decides where the money goes.
function isOffer(accepted: NonNullable<PresentedPayment['accepted']>, terms: PaymentTerms): boolean {
  return (
    accepted.scheme === 'exact' &&
    accepted.network === terms.network.caip2 &&
    accepted.asset.toLowerCase() === terms.asset.address &&
    accepted.payTo.toLowerCase() === terms.payTo.toLowerCase() &&
    accepted.amount === terms.amount.toString()
  );
}

// Signers that count the recovery bit from 0 are common, and the contract reverts on theirs.
function normalised(): Hex {
  const v = signatureBytes[64] ?? 0;
  if (v < 27) signatureBytes[64] = v + 27;
  return encodeHex(signatureBytes);
}

function refuse(code: ProblemCode, detail: string): Refusal {
  return { ok: false, code, detail };
}
