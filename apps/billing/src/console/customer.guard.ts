import { Problem } from '@keyfare/core/problem';
import { cookieOf, requireSamePage } from '@keyfare/gate/operators';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { BillingConfig } from '../config.js';
import { customerCookieName } from './cookies.js';
import { type CustomerSession, CustomerSessions } from './customer-sessions.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The customer who asks; behind the guard of customers. */
    customer?: CustomerSession;
  }
}

/**
 * Lets customers in by the cookie of their session, and by nothing else: 401 `credential/required`. A change must come
 * from our page: 403 `operator/csrf`.
 */
@Injectable()
export class CustomerGuard implements CanActivate {
  constructor(
    private readonly config: BillingConfig,
    private readonly sessions: CustomerSessions,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const token = cookieOf(request, customerCookieName(this.config)) ?? '';
    const session = token === '' ? null : await this.sessions.find(token, request.ip);
    if (session === null) throw new Problem('credential/required', 'Nobody has signed in with a key, or it has ended.');
    requireSamePage(request, session.token);
    request.customer = session;
    return true;
  }
}

/** Who asks. The guard has put it there. */
export function customerOf(request: FastifyRequest): CustomerSession {
  if (request.customer === undefined) throw new TypeError('the route is not guarded by CustomerGuard');
  return request.customer;
}
