import { nameText } from '@keyfare/core/text';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  type Operator,
  OperatorService,
  type OperatorSummary,
  operatorOf,
  operatorRoles,
  operatorScopes,
  pageOf,
  pageQuery,
  passwordText,
  positions,
  readCursor,
  refuseIdempotencyKey,
  roleOf,
  Sensitive,
  SessionService,
  TakesBootstrap,
  toPage,
} from '../operators.js';
import { GateConfig } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { mustBeToCome } from './edge.js';

const dayMs = 86_400_000;
const longestDays = 366;

const roles = z.enum(Object.keys(operatorRoles) as [keyof typeof operatorRoles]);
const operatorView = z
  .object({
    id: z.string(),
    name: z.string(),
    role: roles.nullable(),
    scopes: z.array(z.enum(operatorScopes)),
    lastFour: z.string(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    revokedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Operator' });
const newOperator = z
  .strictObject({
    name: nameText,
    scopes: z.array(z.enum(operatorScopes)).min(1).max(operatorScopes.length).optional(),
    role: roles.optional(),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ scopes, role }) => (scopes === undefined) !== (role === undefined), 'must have either scopes or a role')
  .meta({ id: 'NewOperator', description: 'Without `expiresAt` the token is good for 90 days; at most 366.' });
const newPassword = z
  .strictObject({ old: z.string().min(1).max(200).optional(), new: passwordText })
  .meta({ id: 'NewPassword', description: 'Without `old` only the first, or just after a link has let one in.' });
const passwordSet = z.object({ operator: operatorView, device: z.string() }).meta({ id: 'PasswordSet' });
const signInLink = z
  .object({ operator: operatorView, link: z.string(), expiresAt: z.iso.datetime() })
  .meta({ id: 'SignInLink', description: 'The link is shown here and never again.' });
const issuedOperator = z.object({ operator: operatorView, token: z.string() }).meta({ id: 'IssuedOperator' });
const operatorPage = pageOf(operatorView).meta({ id: 'OperatorPage' });
const listQuery = z.strictObject(pageQuery);

/** Those who run the service. The bootstrap token makes the first, once. */
@Free()
@Admin('admin/operators')
export class OperatorsController {
  constructor(
    private readonly config: GateConfig,
    private readonly changes: Changes,
    private readonly operators: OperatorService,
    private readonly sessions: SessionService,
  ) {}

  /** The token in the answer is shown here and never again. Nobody gives a scope that they do not have. */
  @Post()
  @TakesBootstrap()
  @Sensitive()
  @Answers(201, issuedOperator)
  async create(
    @Req() request: FastifyRequest,
    @Body({ schema: newOperator }) body: z.infer<typeof newOperator>,
  ): Promise<z.infer<typeof issuedOperator>> {
    const now = this.config.clock();
    const expiresAt = body.expiresAt === undefined ? new Date(now.getTime() + 90 * dayMs) : new Date(body.expiresAt);
    mustBeToCome('expiresAt', expiresAt, now, longestDays * dayMs);
    return this.changes.make(request, 'operator.create', async (tx) => {
      const scopes = body.scopes ?? operatorRoles[body.role ?? 'viewer'];
      const made = { name: body.name, scopes, expiresAt };
      const { operator, token } = await this.operators.create(tx, operatorOf(request), made);
      const after = viewOperator(operator);
      return { subject: operator.id, before: null, after, answer: { operator: after, token } };
    });
  }

  @Get()
  @Answers(200, operatorPage)
  async list(@Query({ schema: listQuery }) query: z.infer<typeof listQuery>): Promise<z.infer<typeof operatorPage>> {
    const after = readCursor('operators', query.cursor, [positions.time, positions.id]);
    return toPage(await this.operators.list(after, query.limit), {
      list: 'operators',
      limit: query.limit,
      position: ({ createdAt, id }) => [createdAt.toISOString(), id],
      view: viewOperator,
    });
  }

  /** Whose token this is. */
  @Get('self')
  @Answers(200, operatorView)
  async self(@Req() request: FastifyRequest): Promise<z.infer<typeof operatorView>> {
    return viewOperator(await this.operators.find(operatorOf(request).id));
  }

  /**
   * Sets one's own password. All other sessions of the operator end. 401 `operator/wrong-password` for an old one that
   * is wrong.
   */
  @Post('self/password')
  @HttpCode(200)
  @Needs(...operatorScopes)
  @Answers(200, passwordSet)
  async setPassword(
    @Req() request: FastifyRequest,
    @Body({ schema: newPassword }) body: z.infer<typeof newPassword>,
  ): Promise<z.infer<typeof passwordSet>> {
    refuseIdempotencyKey(request);
    const by = operatorOf(request);
    if (body.old !== undefined || !(await this.#mayForget(by))) {
      await this.sessions.checkPassword(by.id, body.old ?? '', request.ip);
    }
    const hash = await this.sessions.hash(body.new);
    return this.changes.make(request, 'operator.password', async (tx) => {
      const { device } = await this.sessions.setPassword(tx, by, hash);
      const after = viewOperator(await this.operators.find(by.id, tx));
      return { subject: by.id, before: null, after: null, answer: { operator: after, device } };
    });
  }

  /** A link that lets the operator in once, within a quarter of an hour. Nobody makes one for who has more scopes. */
  @Post(':id/link')
  @HttpCode(201)
  @Sensitive()
  @Answers(201, signInLink)
  async link(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof signInLink>> {
    return this.changes.make(request, 'operator.link', async (tx) => {
      const operator = viewOperator(await this.operators.forLink(tx, operatorOf(request), id));
      const { link, expiresAt } = await this.sessions.link(tx, operator.id);
      const answer = { operator, link, expiresAt: expiresAt.toISOString() };
      return { subject: operator.id, before: null, after: { expiresAt: answer.expiresAt }, answer };
    });
  }

  @Get(':id')
  @Answers(200, operatorView)
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof operatorView>> {
    return viewOperator(await this.operators.find(id));
  }

  /** Ends the token for good, in both programs, at once. */
  @Post(':id/revoke')
  @HttpCode(200)
  @Sensitive()
  @Answers(200, operatorView)
  async revoke(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
  ): Promise<z.infer<typeof operatorView>> {
    return this.changes.make(request, 'operator.revoke', async (tx) => {
      const revoked = await this.operators.revoke(tx, operatorOf(request), id);
      const after = viewOperator(revoked.after);
      return { subject: id, before: viewOperator(revoked.before), after, answer: after };
    });
  }

  /** The first password, or one that was forgotten: a link has let its operator in just now. */
  async #mayForget({ id, session }: Operator): Promise<boolean> {
    if (!(await this.sessions.hasPassword(id))) return true;
    return session?.isConfirmed === true && (await this.sessions.find(session.id)).begunBy === 'link';
  }
}

function viewOperator(operator: OperatorSummary): z.infer<typeof operatorView> {
  const { id, name, scopes, lastFour } = operator;
  return {
    id,
    name,
    role: roleOf(scopes),
    scopes: [...scopes],
    lastFour,
    createdAt: operator.createdAt.toISOString(),
    expiresAt: operator.expiresAt.toISOString(),
    revokedAt: operator.revokedAt?.toISOString() ?? null,
  };
}
