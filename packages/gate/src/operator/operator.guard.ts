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
 * Lets operators in, by `Authorization: Bearer` (RFC 6750 §2.1). Anyone else gets 401 `operator/unauthorized`, and 429
 * `operator/throttled` when many such came from the address; 403 `operator/forbidden` without the route's scope. A
 * token that is right is let in whatever else comes from its address.
 */
@Injectable()
export class OperatorGuard implements CanActivate {
  readonly #wrong = new Throttle({ burst: 20, perSecond: 0.5, nowMs: () => performance.now() });

  constructor(
    private readonly reflector: Reflector,
    private readonly operators: OperatorLookup,
    private readonly bootstrap: BootstrapToken,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const operator = token === undefined ? null : await this.#find(token, context);
    if (operator === null || token === undefined) throw this.#refusal(request.ip);
    const scopes = this.#scopesOf(context, request.method);
    if (!scopes.some((scope) => operator.scopes.includes(scope))) throw lacking(operator.id, ...scopes);
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
