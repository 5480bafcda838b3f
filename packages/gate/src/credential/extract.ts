import { Problem } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';

/** The payment a caller presented, not yet decoded. */
export interface PaymentHeader {
  readonly name: 'PAYMENT-SIGNATURE' | 'X-PAYMENT';
  readonly value: string;
}

/** Longer than any of our keys, short enough to cost nothing. */
const longestKey = 256;
const keyMark = /kf_(?:live|test)_/i;
const bearer = /^Bearer +(\S.*)$/i;
const bearerScheme = /^Bearer(?:\s|$)/i;
const basic = /^Basic +(\S+)$/i;

/** RFC 6750 §3.1: what was presented as a token is none. */
const challenge = { 'www-authenticate': 'Bearer realm="keyfare", error="invalid_token"' };

/**
 * The API key of a request, from `Authorization: Bearer` (RFC 6750 §2.1) or `X-API-Key`; null when there is none. One
 * extractor for both headers, so that no check can be passed by choosing the other. Throws 400
 * `credential/ambiguous` for two keys, 400 `credential/in-query` for a key in the URL, and 401 `credential/malformed`
 * for a key in any other form: who shows a key, however badly, does not mean to pay by wallet.
 */
export function extractKey(request: FastifyRequest): string | null {
  if (hasKeyInQuery(request.raw.url ?? '/')) throw new Problem('credential/in-query');
  const { authorization, 'x-api-key': header } = request.headers;
  if (authorization === undefined && header === undefined) return null;
  if (authorization !== undefined) checkSentOnce(request.raw.rawHeaders);
  const token = authorization === undefined ? undefined : tokenOf(authorization);
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

/** Whether the request shows a key or a payment, be it good or bad. */
export function showsCredential(request: FastifyRequest): boolean {
  try {
    return extractKey(request) !== null || extractPayment(request) !== null;
  } catch {
    return true;
  }
}

/**
 * Node keeps the first `Authorization` and drops the others without a word; which one was meant is not ours to guess.
 */
function checkSentOnce(rawHeaders: readonly string[]): void {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') count += 1;
  }
  if (count > 1) throw new Problem('credential/ambiguous', 'The Authorization header was sent more than once.');
}

/** The bearer token; undefined for credentials that are not for us, such as a proxy's. */
function tokenOf(authorization: string): string | undefined {
  const token = bearer.exec(authorization)?.[1];
  if (token !== undefined) return token;
  const login = basic.exec(authorization)?.[1];
  const text = login === undefined ? authorization : Buffer.from(login, 'base64').toString('latin1');
  if (!bearerScheme.test(authorization) && !keyMark.test(text)) return undefined;
  throw malformed('Send the key as "Authorization: Bearer <key>", or in X-API-Key.');
}

function bounded(key: string): string {
  if (key.length > longestKey) throw malformed();
  return key;
}

function malformed(detail?: string): Problem {
  return new Problem('credential/malformed', detail, { headers: challenge });
}

/** A key in a URL ends up in logs, histories and Referer headers: it is refused even where another one is good. */
function hasKeyInQuery(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0) return false;
  const query = url.slice(start + 1);
  return keyMark.test(query.includes('%') ? percentDecoded(query) : query);
}

/** Every escape that is one becomes its letter; one that is none hides nothing behind it. */
function percentDecoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 16)));
}
