import { Problem } from '@keyfare/core/problem';
import type { FastifyRequest } from 'fastify';
import { showsCredential } from '../credential/extract.js';

/** Whether the request brings a body that Fastify reads. It reads none of a GET, a HEAD or a TRACE. */
export function readsBody(request: FastifyRequest): boolean {
  return announcesBody(request) && !['GET', 'HEAD', 'TRACE'].includes(request.method);
}

/**
 * Refuses what could be sold but not signed for: a URL that a receipt cannot hold (414, 400), a body that nobody reads
 * and so nobody digests (400), and a HEAD (405 with `allowed`), whose answer would be charged in full and not sent.
 * Whoever shows no credential is told the price, whatever the body is.
 */
export function checkSellable(request: FastifyRequest, allowed: () => readonly string[]): void {
  const url = request.raw.url ?? '/';
  if (url.length > 1_900) throw new Problem('request/uri-too-long');
  if (!/^\/[\x21-\x7e]*$/.test(url)) {
    throw new Problem('request/malformed', 'The request target must be a path in printable ASCII that starts with /.');
  }
  if (request.method === 'HEAD') {
    throw new Problem('request/method-not-allowed', undefined, { headers: { allow: allowed().join(', ') } });
  }
  if (showsCredential(request)) checkDigestible(request);
}

/**
 * Refuses a body that nobody reads, beside a call that is served without a credential. Throws 400 `request/malformed`.
 */
export function checkDigestible(request: FastifyRequest): void {
  if (!announcesBody(request) || readsBody(request)) return;
  throw new Problem('request/malformed', `A ${request.method} request to a priced route must not have a body.`);
}

/** RFC 9112 §6: a request has a body when one of these headers says so. */
function announcesBody({ headers }: FastifyRequest): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
