import { Problem } from '@keyfare/core/problem';
import { requireSamePage, SessionCookie, shownToken } from '@keyfare/gate/operators';
import { All, Controller, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiClient } from './api-client.js';
import { Touches } from './touches.js';

const prefix = '/gate';
/** What the console asks of the API, and nothing else of it: no call that is sold, no metrics. */
const allowed =
  /^\/(?:admin\/(?!sessions\/(?!ses_[\w-]+\/end$)|operators\/self\/password)[\w\-./~%]*|openapi\.json|\.well-known\/[\w\-.]+)$/;
/** Its public pages of prices and receipts, to read. */
const readable = /^\/(?:prices(?:\/(?:skus\/)?[\w\-.~%]+)?|receipts\/[\w-]+)$/;
const sent = ['accept', 'if-match', 'idempotency-key', 'user-agent'] as const;
const returned = ['content-type', 'etag', 'location', 'retry-after', 'request-id', 'www-authenticate'] as const;

/**
 * The API's routes of operators for the page, which may speak to its own origin only: `/gate/admin/…` here is
 * `/admin/…` there, with the session's token. The API decides what it may do. One's own session goes by `/session`.
 */
@ApiExcludeController()
@Controller('gate')
export class ForwardController {
  constructor(
    private readonly api: ApiClient,
    private readonly cookie: SessionCookie,
    private readonly touches: Touches,
  ) {}

  @All('*')
  async forward(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const path = request.originalUrl.slice(prefix.length);
    const [pathname = ''] = path.split('?');
    const isOpen = allowed.test(pathname) || (request.method === 'GET' && readable.test(pathname));
    if (!isOpen || pathname.split('/').some((part) => part === '.' || part === '..')) {
      throw new Problem('request/not-found');
    }
    // Which sessions go on is read here; one is begun by `/session`, where its token stays in a cookie.
    if (pathname === '/admin/sessions' && request.method !== 'GET') throw new Problem('request/not-found');
    const shown = shownToken(request, this.cookie);
    if (shown?.byCookie === true) {
      requireSamePage(request, shown.token);
      this.touches.touch(shown.token, request);
    }
    const headers: Record<string, string> = {};
    for (const name of sent) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const hasBody = request.body !== undefined && request.body !== null;
    const answer = await this.api.ask({
      method: request.method,
      path,
      token: shown?.token ?? null,
      address: request.ip,
      headers,
      ...(hasBody ? { body: request.body } : {}),
    });
    for (const name of returned) {
      const value = answer.headers.get(name);
      if (value !== null)
        void reply.header(name, value.startsWith('/') && name === 'location' ? `${prefix}${value}` : value);
    }
    await reply.header('cache-control', 'no-store').status(answer.status).send(answer.bytes);
  }
}
