import type { PaymentRequired, PaymentRequirementsV1 } from '@x402/core/types';
import { encodeBase64, utf8 } from '../encoding/index.js';
import type { PaymentTerms } from './payment.js';
import type { ResourceDescription } from './resource-description.js';

/**
 * An offer of version 1. Clients of that version refuse a null: `outputSchema` is left out where the route declares
 * nothing.
 */
export type OfferV1 = Omit<PaymentRequirementsV1, 'network' | 'outputSchema'> & {
  readonly network: string;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
};

/**
 * The longest `PAYMENT-REQUIRED` header that extensions may make, in characters: the buffers of common proxies take a
 * head of 4 kB. A challenge that is longer without them, by its offers or its URL, stays as it is.
 */
export const longestExtendedHeader = 2_816;

/** The members of a 402 body that clients of version 1 read. */
export interface PaymentRequiredV1 {
  readonly x402Version: 1;
  readonly error: string;
  readonly accepts: readonly OfferV1[];
}

/** One challenge in the forms of both versions. */
export interface PaymentChallenge {
  /** The value of the `PAYMENT-REQUIRED` header: base64 of `v2`. */
  readonly header: string;
  readonly v2: PaymentRequired;
  /** For the response body: version 2 leaves the body to us. */
  readonly v1: PaymentRequiredV1;
}

interface ChallengeReason {
  /** Why payment is asked for; a stable word or a sentence that clients show. */
  readonly error: string;
}

/**
 * The challenge of a 402 for both versions in one response: clients of version 2 look at the header first, those of
 * version 1 at the body (x402 transports http, sections "Payment Required"). Every offer stands in both, in order, the
 * one that the seller prefers first. No offer at all is a bug of the caller: RangeError.
 */
export function formatPaymentRequired(offers: readonly PaymentTerms[], { error }: ChallengeReason): PaymentChallenge {
  const [first] = offers;
  if (first === undefined) throw new RangeError('A 402 has at least one offer.');
  const { resourceUrl, description, mimeType, about } = first;
  const plain: PaymentRequired = {
    x402Version: 2,
    error,
    resource: { url: resourceUrl, description, mimeType },
    accepts: offers.map((terms) => ({
      scheme: 'exact',
      network: terms.network.caip2,
      amount: terms.amount.toString(),
      ...commonOf(terms),
    })),
  };
  const accepts = offers.map(
    (terms): OfferV1 => ({
      scheme: 'exact',
      network: terms.network.name,
      maxAmountRequired: terms.amount.toString(),
      resource: terms.resourceUrl,
      description: terms.description,
      mimeType: terms.mimeType,
      ...(about && { outputSchema: about.outputSchema }),
      ...commonOf(terms),
    }),
  );
  return { ...withExtensions(plain, about), v1: { x402Version: 1, error, accepts } };
}

/** The challenge of version 2 and its header, with the fullest extensions that leave the header within its bound. */
function withExtensions(
  plain: PaymentRequired,
  about: ResourceDescription | undefined,
): Pick<PaymentChallenge, 'header' | 'v2'> {
  const text = JSON.stringify(plain);
  const bytes = utf8(text);
  const mostBytes = (longestExtendedHeader / 4) * 3 - bytes.length - ',"extensions":'.length;
  const extension = about?.extensions.find((one) => one.bytes <= mostBytes);
  if (extension === undefined) return { header: encodeBase64(bytes), v2: plain };
  const extended = `${text.slice(0, -1)},"extensions":${extension.text}}`;
  return { header: encodeBase64(utf8(extended)), v2: { ...plain, extensions: extension.members } };
}

function commonOf({ payTo, maxTimeoutSeconds, asset }: PaymentTerms) {
  const extra = { name: asset.name, version: asset.version };
  return { payTo, maxTimeoutSeconds, asset: asset.checksumAddress, extra };
}
