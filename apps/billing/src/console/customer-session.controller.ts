import type { Clock } from '@keyfare/core/time';
import { cookieOf, csrfOf, OperatorDoor } from '@keyfare/gate/operators';
import { Body, Delete, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';
import { customerCookieName, setCookie } from './cookies.js';
import { CustomerGuard, customerOf } from './customer.guard.js';
import { CustomerSessions } from './customer-sessions.js';
import { requireOurPage } from './our-page.js';

const signIn = z
  .strictObject({ key: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be a key') })
  .meta({ id: 'CustomerSignIn' });
const begun = z
  .object({
    account: z.object({ id: z.string(), name: z.string() }),
    key: z.object({ id: z.string(), name: z.string() }),
    csrf: z.string().meta({ description: 'To be sent along with a change, as `X-CSRF-Token`.' }),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: 'CustomerSession' });

/** A customer's way in: a key becomes a cookie that no script reads, for half an hour. */
@OperatorDoor('me/session')
export class CustomerSessionController {
  constructor(
    private readonly config: BillingConfig,
    private readonly sessions: CustomerSessions,
    @Inject(clock) private readonly now: Clock,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: begun })
  async begin(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: signIn }) { key }: z.infer<typeof signIn>,
  ): Promise<z.infer<typeof begun>> {
    requireOurPage(request);
    const { token, expiresAt, holder } = await this.sessions.begin(key, request.ip);
    const before = cookieOf(request, customerCookieName(this.config)) ?? '';
    if (before !== '') await this.sessions.end(before);
    void reply.header('set-cookie', this.#cookie(token, (expiresAt.getTime() - this.now().getTime()) / 1_000));
    return {
      account: holder.account,
      key: { id: holder.key.id, name: holder.key.name },
      csrf: csrfOf(token),
      expiresAt: expiresAt.toISOString(),
    };
  }

  @Delete()
  @UseGuards(CustomerGuard)
  @HttpCode(204)
  async end(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    await this.sessions.end(customerOf(request).token);
    void reply.header('set-cookie', this.#cookie('', 0)).header('clear-site-data', '"cache", "storage"');
  }

  #cookie(value: string, maxAgeSeconds: number): string {
    const isSecure = this.config.isConsoleSecure;
    return setCookie({ name: customerCookieName(this.config), value, path: '/', maxAgeSeconds, isSecure });
  }
}
