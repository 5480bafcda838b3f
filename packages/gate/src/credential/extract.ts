import { Problem } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';

/** The payment a caller presented, not yet decoded. */
export interface PaymentHeader {
  readonly name: 'PAYMENT-SIGNATURE' | 'X-PAYMENT';
  readonly value: string;
}

/** Longer than any of our keys, short enough to cost nothing. */
const longestKey = 256;
const keyInQuery = /[?&][^=&]*=[^&]*kf_(?:live|test)_/;
const bearer = /^Bearer +(\S.*)$/i;

/**
 * The API key of a request, from `Authorization: Bearer` (RFC 6750 §2.1) or `X-API-Key`; null when there is none. One
 * extractor for both headers, so that no check can be passed by choosing the other. Throws 400
 * `credential/ambiguous` for two different keys and `credential/in-query` for a key in the URL.
 */
export function extractKey(request: FastifyRequest): string | null {
  if (hasKeyInQuery(request.raw.url ?? '/')) throw new Problem('credential/in-query');
  const { authorization, 'x-api-key': header } = request.headers;
  const token = authorization === undefined ? undefined : bearer.exec(authorization)?.[1]?.trim();
  if (header === undefined) return token === undefined ? null : bounded(token);
  // Node joins repeated headers of this name with a comma, which no key contains.
  if (typeof header !== 'string' || header.includes(',') || (token !== undefined && token !== header)) {
    throw new Problem('credential/ambiguous');
  }
  return bounded(header);
}

/** The payment header of a request; v2's goes first. Null when there is none. */
export function extractPayment(request: FastifyRequest): PaymentHeader | null {
  const v2 = request.headers['payment-signature'];
  if (typeof v2 === 'string') return { name: 'PAYMENT-SIGNATURE', value: v2 };
  const v1 = request.headers['x-payment'];
  return typeof v1 === 'string' ? { name: 'X-PAYMENT', value: v1 } : null;
}

function bounded(key: string): string {
  if (key.length > longestKey) throw new Problem('credential/malformed');
  return key;
}

/** A key in a URL ends up in logs, histories and Referer headers: it is refused even where another one is good. */
function hasKeyInQuery(url: string): boolean {
  if (!url.includes('?') || !(url.includes('kf_') || url.includes('%'))) return false;
  return keyInQuery.test(decoded(url));
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
