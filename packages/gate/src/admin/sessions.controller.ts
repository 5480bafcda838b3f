import { Problem } from '@keyfare/core/problem';
import { Body, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  type Operator,
  operatorOf,
  operatorScopes,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  refuseIdempotencyKey,
  Sensitive,
  SessionService,
  toPage,
} from '../operators.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { begunSession, sessionView, viewSession } from './session-views.js';

const confirmation = z.strictObject({ password: z.string().min(1).max(200) }).meta({ id: 'Confirmation' });
const sessionPage = pageOf(sessionView).meta({ id: 'OperatorSessionPage' });
const listQuery = z.strictObject({ ...pageQuery, operator: z.string().min(1).max(64).optional() });

/** Operators who have signed in. */
@Free()
@Admin('admin/sessions')
export class SessionsController {
  constructor(
    private readonly changes: Changes,
    private readonly sessions: SessionService,
  ) {}

  /** Those that go on, the newest first. */
  @Get()
  @Answers(200, sessionPage)
  async list(@Query({ schema: listQuery }) query: z.infer<typeof listQuery>): Promise<z.infer<typeof sessionPage>> {
    const after = readCursor('sessions', query.cursor, [positions.time, positions.id]);
    return toPage(await this.sessions.list({ operatorId: query.operator }, after, query.limit), {
      list: 'sessions',
      limit: query.limit,
      position: ({ createdAt, id }) => [createdAt.toISOString(), id],
      view: viewSession,
    });
  }

  /** The session whose token this is: 404 for the token of a program. */
  @Get('self')
  @Needs(...operatorScopes)
  @Answers(200, sessionView)
  async self(@Req() request: FastifyRequest): Promise<z.infer<typeof sessionView>> {
    return viewSession(await this.sessions.find(sessionOf(operatorOf(request)).id));
  }

  /** Something was done in it elsewhere: it is idle later. */
  @Post('self/touch')
  @HttpCode(200)
  @Needs(...operatorScopes)
  @Answers(200, sessionView)
  async touch(@Req() request: FastifyRequest): Promise<z.infer<typeof sessionView>> {
    return viewSession(await this.sessions.touch(sessionOf(operatorOf(request)).id));
  }

  /** The password again, for what is sensitive. The session goes on under another token; that of before ends soon. */
  @Post('self/confirm')
  @HttpCode(200)
  @Needs(...operatorScopes)
  @Answers(200, begunSession)
  async confirm(
    @Req() request: FastifyRequest,
    @Body({ schema: confirmation }) { password }: z.infer<typeof confirmation>,
  ): Promise<z.infer<typeof begunSession>> {
    refuseIdempotencyKey(request);
    const operator = operatorOf(request);
    const session = sessionOf(operator);
    await this.sessions.checkPassword(operator.id, password, request.ip);
    return this.changes.make(request, 'session.confirm', async (tx) => {
      const before = viewSession(await this.sessions.find(session.id, tx));
      const renewed = await this.sessions.confirm(tx, { session });
      const after = viewSession(renewed.session);
      return { subject: after.id, before, after, answer: { session: after, token: renewed.token, device: null } };
    });
  }

  /** Signs out. */
  @Delete('self')
  @Needs(...operatorScopes)
  @Answers(200, sessionView)
  async leave(@Req() request: FastifyRequest): Promise<z.infer<typeof sessionView>> {
    return this.#end(request, sessionOf(operatorOf(request)).id);
  }

  /** Ends a session of oneself or, with the scope `write`, of another. */
  @Post(':id/end')
  @HttpCode(200)
  @Sensitive()
  @Answers(200, sessionView)
  async end(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof sessionView>> {
    return this.#end(request, id);
  }

  async #end(request: FastifyRequest, id: string): Promise<z.infer<typeof sessionView>> {
    return this.changes.make(request, 'session.end', async (tx) => {
      const before = viewSession(await this.sessions.end(tx, id));
      return { subject: id, before, after: null, answer: before };
    });
  }
}

function sessionOf({ session }: Operator): NonNullable<Operator['session']> {
  if (session === undefined) throw new Problem('session/not-found', 'This is the token of a program, not a session.');
  return session;
}
