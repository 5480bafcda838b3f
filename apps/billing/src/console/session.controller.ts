import { Problem } from '@keyfare/core/problem';
import { nameText } from '@keyfare/core/text';
import type { Clock } from '@keyfare/core/time';
import { cookieOf, csrfOf, OperatorDoor, passwordText, requireSamePage, SessionCookie } from '@keyfare/gate/operators';
import { Body, Delete, Get, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BillingConfig } from '../config.js';
import { clock } from '../tokens.js';
import { ApiClient } from './api-client.js';
import { apiSession, begunSession } from './api-session.js';
import { deviceCookieName, setCookie } from './cookies.js';
import { requireOurPage } from './our-page.js';
import { SignedInGuard } from './signed-in.guard.js';

const secret = z.string().min(1).max(200);
const signIn = z
  .union([z.strictObject({ name: nameText, password: secret }), z.strictObject({ link: secret })])
  .meta({ id: 'ConsoleSignIn' });
const confirmation = z.strictObject({ password: secret }).meta({ id: 'ConsoleConfirmation' });
const newPassword = z.strictObject({ old: secret.optional(), new: passwordText }).meta({ id: 'ConsolePassword' });
const sessionView = apiSession.extend({ csrf: z.string() }).meta({ id: 'ConsoleSession' });
type SessionView = z.infer<typeof sessionView>;
const passwordSet = z.object({ device: z.string().regex(/^[\w-]+$/) });

const deviceSeconds = 180 * 86_400;

/** The page's way in: the API knows operators and their passwords; here they become a cookie that no script reads. */
@OperatorDoor('session')
export class SessionController {
  constructor(
    private readonly config: BillingConfig,
    private readonly api: ApiClient,
    private readonly cookie: SessionCookie,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** With a name and its password, or with a link that lets its operator in once. */
  @Post()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: sessionView })
  async begin(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: signIn }) body: z.infer<typeof signIn>,
  ): Promise<SessionView> {
    requireOurPage(request);
    const device = cookieOf(request, deviceCookieName);
    const withDevice = 'link' in body || device === undefined ? body : { ...body, device };
    const begun = await this.api.json(begunSession, {
      ...this.#to(request, '/admin/sessions', null),
      body: withDevice,
    });
    // Who comes in again, or as somebody else, leaves nothing behind.
    await this.#leave(request).catch(() => undefined);
    return this.#keep(reply, begun);
  }

  /** Who has signed in, and what the page must send along with a change. */
  @Get()
  @UseGuards(SignedInGuard)
  @ApiOkResponse({ standardSchema: sessionView })
  async read(@Req() request: FastifyRequest): Promise<SessionView> {
    const token = this.#token(request);
    return this.#view(await this.api.json(apiSession, this.#to(request, '/admin/sessions/self', token)), token);
  }

  /** The password again, for what is sensitive. */
  @Post('confirm')
  @UseGuards(SignedInGuard)
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: sessionView })
  async confirm(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: confirmation }) body: z.infer<typeof confirmation>,
  ): Promise<SessionView> {
    const token = this.#changing(request);
    return this.#keep(
      reply,
      await this.api.json(begunSession, { ...this.#to(request, '/admin/sessions/self/confirm', token), body }),
    );
  }

  /** Sets one's own password; all other sessions end. */
  @Post('password')
  @UseGuards(SignedInGuard)
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: sessionView })
  async setPassword(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: newPassword }) body: z.infer<typeof newPassword>,
  ): Promise<SessionView> {
    const token = this.#changing(request);
    const to = this.#to(request, '/admin/operators/self/password', token);
    const { device } = await this.api.json(passwordSet, { ...to, body });
    this.#keepDevice(reply, device);
    return this.#view(
      await this.api.json(apiSession, { ...this.#to(request, '/admin/sessions/self', token), method: 'GET' }),
      token,
    );
  }

  /** Signs out. */
  @Delete()
  @UseGuards(SignedInGuard)
  @HttpCode(204)
  async end(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    this.#changing(request);
    await this.#leave(request);
    void reply.header('set-cookie', this.#sessionCookie('', 0)).header('clear-site-data', '"cache", "storage"');
  }

  async #leave(request: FastifyRequest): Promise<void> {
    const token = this.#shown(request);
    if (token === undefined) return;
    await this.api.ask({ ...this.#to(request, '/admin/sessions/self', token), method: 'DELETE' });
  }

  #keep(reply: FastifyReply, { session, token, device }: z.infer<typeof begunSession>): SessionView {
    const seconds = (new Date(session.expiresAt).getTime() - this.now().getTime()) / 1_000;
    void reply.header('set-cookie', this.#sessionCookie(token, seconds));
    if (device !== null) this.#keepDevice(reply, device);
    return this.#view(session, token);
  }

  #sessionCookie(value: string, maxAgeSeconds: number): string {
    const isSecure = this.config.isConsoleSecure;
    return setCookie({ name: this.cookie.name ?? '', value, path: '/', maxAgeSeconds, isSecure });
  }

  #keepDevice(reply: FastifyReply, value: string): void {
    const isSecure = this.config.isConsoleSecure;
    const cookie = { name: deviceCookieName, value, path: '/session', maxAgeSeconds: deviceSeconds, isSecure };
    void reply.header('set-cookie', setCookie(cookie));
  }

  #view({ operator, idleAt, expiresAt, confirmedUntil }: z.infer<typeof apiSession>, token: string): SessionView {
    return { operator, csrf: csrfOf(token), idleAt, expiresAt, confirmedUntil };
  }

  #shown(request: FastifyRequest): string | undefined {
    return this.cookie.name === null ? undefined : cookieOf(request, this.cookie.name);
  }

  /** 401 `operator/unauthorized`. */
  #token(request: FastifyRequest): string {
    const token = this.#shown(request);
    if (token === undefined || token === '') throw new Problem('operator/unauthorized', 'Nobody has signed in.');
    return token;
  }

  #changing(request: FastifyRequest): string {
    const token = this.#token(request);
    requireSamePage(request, token);
    return token;
  }

  #to(request: FastifyRequest, path: string, token: string | null) {
    const agent = request.headers['user-agent'] ?? '';
    return { method: request.method, path, token, address: request.ip, headers: { 'user-agent': agent } };
  }
}
