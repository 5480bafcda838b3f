import { Problem } from '@keyfare/core/problem';
import { cookieOf, SessionCookie } from '@keyfare/gate/operators';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** 401 `operator/unauthorized`, before anything else is looked at, for a browser that shows no session. */
@Injectable()
export class SignedInGuard implements CanActivate {
  constructor(private readonly cookie: SessionCookie) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { name } = this.cookie;
    if (name !== null && (cookieOf(request, name) ?? '') !== '') return true;
    throw new Problem('operator/unauthorized', 'Nobody has signed in.');
  }
}
