import { Problem } from '@keyfare/core/problem';
import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Throttle } from '../throttle.js';
import { OperatorLookup } from './lookup.js';
import {
  bootstrapId,
  lacking,
  type Operator,
  type OperatorScope,
  operatorScopes,
  sameText,
  tokenHash,
} from './operator.js';
import { cookieOf, isSensitive, requireConfirmed, requireSamePage, SessionCookie } from './session-guard.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, and with which token; on the routes of operators, after their guard. */
    operator?: Operator & { readonly token: string };
  }
}

const scopeKey = Symbol('keyfare:operator-scope');

/** What a route asks of an operator: one of these. Without it: `read` for GET and HEAD, `write` for all else. */
export const Needs = (...scopes: readonly OperatorScope[]): MethodDecorator => SetMetadata(scopeKey, scopes);

/** The token with which the first operator is made, once; undefined where none is configured. */
export class BootstrapToken {
  constructor(readonly value: string | undefined) {}
}

const bootstrapKey = Symbol('keyfare:operator-bootstrap');

/** The one route that takes the bootstrap token. */
export const TakesBootstrap = (): MethodDecorator => SetMetadata(bootstrapKey, true);

/** Whoever shows the bootstrap token, until it is used; of each token another. */
function bootstrapper(token: string): Operator {
  const id = `${bootstrapId}${tokenHash(token).toString('base64url').slice(0, 12)}`;
  return { id, name: 'bootstrap', scopes: operatorScopes };
}

/**
 * Lets operators in, by `Authorization: Bearer` (RFC 6750 §2.1) or, where the program serves a page, by the cookie of a
 * session; with a cookie a change must come from that page: 403 `operator/csrf`. Anyone else gets 401
 * `operator/unauthorized`, and 429 `operator/throttled` when many such came from the address; 403 `operator/forbidden`
 * without the route's scope, and `operator/confirm` where a person must give the password again first. A token that is
 * right is let in whatever else comes from its address.
 */
@Injectable()
export class OperatorGuard implements CanActivate {
  readonly #wrong = new Throttle({ burst: 20, perSecond: 0.5, nowMs: () => performance.now() });

  constructor(
    private readonly reflector: Reflector,
    private readonly operators: OperatorLookup,
    private readonly bootstrap: BootstrapToken,
    private readonly cookie: SessionCookie,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const shown = shownToken(request, this.cookie);
    const operator = shown === null ? null : await this.#find(shown.token, context);
    if (operator === null || shown === null) throw this.#refusal(request.ip);
    const { token } = shown;
    if (shown.byCookie) {
      requireSamePage(request, token);
      this.cookie.onUse(token, request);
    }
    const scopes = this.#scopesOf(context, request.method);
    if (!scopes.some((scope) => operator.scopes.includes(scope))) throw lacking(operator.id, ...scopes);
    if (isSensitive(context.getHandler())) requireConfirmed(operator);
    request.operator = { ...operator, token };
    return true;
  }

  async #find(token: string, context: ExecutionContext): Promise<Operator | null> {
    const takesBootstrap = this.reflector.get<true | undefined>(bootstrapKey, context.getHandler()) === true;
    if (takesBootstrap && this.bootstrap.value !== undefined && sameText(token, this.bootstrap.value)) {
      return bootstrapper(token);
    }
    return this.operators.find(token);
  }

  #refusal(address: string): Problem {
    const waitSeconds = this.#wrong.take(address);
    if (waitSeconds > 0) {
      return new Problem('operator/throttled', undefined, { headers: { 'retry-after': String(waitSeconds) } });
    }
    return new Problem('operator/unauthorized', undefined, {
      headers: { 'www-authenticate': 'Bearer realm="keyfare-operator"' },
    });
  }

  #scopesOf(context: ExecutionContext, method: string): readonly OperatorScope[] {
    const named = this.reflector.get<readonly OperatorScope[] | undefined>(scopeKey, context.getHandler());
    return named ?? [method === 'GET' || method === 'HEAD' ? 'read' : 'write'];
  }
}

/** The token that a request shows, and whether in a cookie; a header goes before. */
export function shownToken(
  request: FastifyRequest,
  { name }: SessionCookie,
): { readonly token: string; readonly byCookie: boolean } | null {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    return token === undefined ? null : { token, byCookie: false };
  }
  const token = name === null ? undefined : cookieOf(request, name);
  return token === undefined ? null : { token, byCookie: true };
}
