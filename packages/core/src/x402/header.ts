import type { PaymentRequirements } from '@x402/core/types';
import { decodeBase64, decodeUtf8 } from '../encoding/index.js';
import { Problem } from '../problem/index.js';
import { findNetwork, findToken, type Network } from './network.js';
import { outerPayloadV1, outerPayloadV2 } from './outer-payload.js';
import { parseEvmPayload } from './payload.js';
import type { PresentedPayment } from './payment.js';

/** The request headers that carry a payment: version 2 and version 1 of x402. */
export type PaymentHeader = 'PAYMENT-SIGNATURE' | 'X-PAYMENT';

/** The longest payment header that is read, in characters. */
export const maxPaymentHeaderLength = 8192;

/**
 * Reads a payment header of x402 (transports http, version 1 and 2): base64 of a JSON payload, whose outer shape
 * `outerPayloadV1` and `outerPayloadV2` check. It says what was presented, not whether it is any good.
 *
 * Refuses, as a Problem: what cannot be decoded (`payment/malformed`), another x402 version than the header stands for
 * (`payment/unsupported-version`), and a scheme, network, asset or transfer method that we do not take
 * (`payment/unsupported`).
 */
export function parsePaymentHeader(header: PaymentHeader, text: string): PresentedPayment {
  if (text.length > maxPaymentHeaderLength) {
    throw new Problem('payment/malformed', `The ${header} header is longer than ${maxPaymentHeaderLength} characters.`);
  }
  const value = parseJson(decodeUtf8(decodeBase64(text, 'payment/malformed'), 'payment/malformed'));
  if (typeof value !== 'object' || value === null || !('x402Version' in value)) {
    throw new Problem('payment/malformed', 'The payment must be a JSON object with x402Version.');
  }
  const version = header === 'PAYMENT-SIGNATURE' ? 2 : 1;
  if (value.x402Version !== version) {
    throw new Problem('payment/unsupported-version', `The ${header} header takes x402Version ${version} only.`);
  }
  return version === 2 ? parseVersion2(value) : parseVersion1(value);
}

function parseVersion1(value: object): PresentedPayment {
  const outer = outerPayloadV1.safeParse(value);
  if (!outer.success) throw outerShape(1);
  const { scheme, network: name, payload } = outer.data;
  assertExact(scheme);
  const network = findNetwork(name);
  if (network === null || network.name !== name) throw unsupportedNetwork();
  return { x402Version: 1, scheme: 'exact', network: network.caip2, ...parseEvmPayload(payload) };
}

function parseVersion2(value: object): PresentedPayment {
  const outer = outerPayloadV2.safeParse(value);
  if (!outer.success) throw outerShape(2);
  const { accepted, payload } = outer.data;
  assertExact(accepted.scheme);
  const network = findNetwork(accepted.network);
  if (network === null || network.caip2 !== accepted.network) throw unsupportedNetwork();
  if (findToken(network, accepted.asset) === null) {
    const taken = network.tokens.map(({ symbol }) => symbol).join(' or ');
    throw new Problem(
      'payment/unsupported',
      `On ${network.caip2} payments are taken in ${taken}, and in nothing else.`,
    );
  }
  const extra = accepted.extra ?? {};
  const method = extra['assetTransferMethod'];
  if (method !== undefined && method !== 'eip3009') {
    throw new Problem('payment/unsupported', 'Only the asset transfer method eip3009 is taken here.');
  }
  return {
    x402Version: 2,
    scheme: 'exact',
    network: network.caip2,
    accepted: asRequirements(accepted, network, extra),
    ...identifierOf(outer.data.extensions),
    ...parseEvmPayload(payload),
  };
}

const identifierShape = /^[A-Za-z0-9_-]{16,128}$/;

/** The id of x402's extension `payment-identifier`; none where there is none, or not in its shape. */
function identifierOf(extensions: Record<string, unknown> | null | undefined): { readonly identifier?: string } {
  const extension = extensions?.['payment-identifier'];
  if (typeof extension !== 'object' || extension === null || !('info' in extension)) return {};
  const { info } = extension;
  if (typeof info !== 'object' || info === null || !('id' in info)) return {};
  return typeof info.id === 'string' && identifierShape.test(info.id) ? { identifier: info.id } : {};
}

type Accepted = Omit<PaymentRequirements, 'network' | 'extra'>;

function asRequirements(accepted: Accepted, network: Network, extra: Record<string, unknown>): PaymentRequirements {
  const { scheme, asset, amount, payTo, maxTimeoutSeconds } = accepted;
  return { scheme, network: network.caip2, asset, amount, payTo, maxTimeoutSeconds, extra };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('payment/malformed', 'The payment is not JSON.');
  }
}

function assertExact(scheme: string): void {
  if (scheme !== 'exact') throw new Problem('payment/unsupported', 'Only the scheme exact is taken here.');
}

function unsupportedNetwork(): Problem {
  return new Problem('payment/unsupported', 'The network of the payment is not taken here.');
}

function outerShape(version: 1 | 2): Problem {
  return new Problem('payment/malformed', `The payment is not an x402 version ${version} payment payload.`);
}
