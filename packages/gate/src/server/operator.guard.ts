import { createHash, timingSafeEqual } from 'node:crypto';
import { Problem } from '@keyfare/core/problem';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** The token of those who run the service. */
export class OperatorToken {
  constructor(readonly value: string) {}
}

/** Lets operators in, by `Authorization: Bearer` (RFC 6750 §2.1). Anyone else gets 401 `operator/unauthorized`. */
@Injectable()
export class OperatorGuard implements CanActivate {
  readonly #expected: Buffer;

  constructor(token: OperatorToken) {
    this.#expected = digest(token.value);
  }

  canActivate(context: ExecutionContext): boolean {
    const { authorization = '' } = context.switchToHttp().getRequest<FastifyRequest>().headers;
    const presented = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
    // Digests have one length, so the comparison tells nothing, not even how long the token is.
    if (timingSafeEqual(digest(presented), this.#expected)) return true;
    throw new Problem('operator/unauthorized', undefined, {
      headers: { 'www-authenticate': 'Bearer realm="keyfare-operator"' },
    });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
