import { createHash } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Operator, sameText } from './operator.js';

/** The cookie in which a browser may show its session; null where the program serves no page. */
export class SessionCookie {
  constructor(
    readonly name: string | null,
    /** Told of each request that was let in by it. */
    readonly onUse: (token: string, request: FastifyRequest) => void = () => undefined,
  ) {}
}

const sensitiveKey = Symbol('keyfare:operator-sensitive');

/** A person who has signed in must have given the password within the last minutes: 403 `operator/confirm`. */
export const Sensitive = (): MethodDecorator => SetMetadata(sensitiveKey, true);

export function isSensitive(handler: object): boolean {
  return Reflect.getMetadata(sensitiveKey, handler) === true;
}

export function requireConfirmed({ session }: Operator): void {
  if (session !== undefined && !session.isConfirmed) throw new Problem('operator/confirm');
}

/**
 * What the same `Idempotency-Key` is known by is a quick hash of the body, and a password must not be in one. 400
 * `request/invalid`.
 */
export function refuseIdempotencyKey({ headers }: FastifyRequest): void {
  if (headers['idempotency-key'] === undefined) return;
  throw new Problem('request/invalid', 'A request with a password or a link takes no Idempotency-Key.');
}

/** A cookie's value; undefined where there is none. Tokens need no decoding. */
export function cookieOf(request: FastifyRequest, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

/** What the page must send along, as `X-CSRF-Token`: made of the token, which the page itself cannot read. */
export function csrfOf(token: string): string {
  return createHash('sha256').update(`keyfare csrf ${token}`).digest('base64url');
}

/**
 * A browser adds its cookies to what other sites' pages send too: a change must come from our page. 403
 * `operator/csrf`.
 */
export function requireSamePage(request: FastifyRequest, token: string): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  const { 'sec-fetch-site': site, 'x-csrf-token': csrf, origin, host } = request.headers;
  const isOurs = site === undefined || site === 'same-origin';
  const isHome = origin === undefined || hostOf(origin) === host;
  if (!isOurs || !isHome || typeof csrf !== 'string' || !sameText(csrf, csrfOf(token))) {
    throw new Problem('operator/csrf');
  }
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
