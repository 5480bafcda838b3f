import { nameText } from '@keyfare/core/text';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  Admin,
  Changes,
  idParam,
  OperatorService,
  type OperatorSummary,
  operatorOf,
  operatorScopes,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  TakesBootstrap,
  toPage,
} from '../operators.js';
import { GateConfig } from '../services.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';
import { mustBeToCome } from './edge.js';

const dayMs = 86_400_000;
const longestDays = 366;

const operatorView = z
  .object({
    id: z.string(),
    name: z.string(),
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
    scopes: z.array(z.enum(operatorScopes)).min(1).max(operatorScopes.length),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'NewOperator', description: 'Without `expiresAt` the token is good for 90 days; at most 366.' });
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
  ) {}

  /** The token in the answer is shown here and never again. Nobody gives a scope that they do not have. */
  @Post()
  @TakesBootstrap()
  @Answers(201, issuedOperator)
  async create(
    @Req() request: FastifyRequest,
    @Body({ schema: newOperator }) body: z.infer<typeof newOperator>,
  ): Promise<z.infer<typeof issuedOperator>> {
    const now = this.config.clock();
    const expiresAt = body.expiresAt === undefined ? new Date(now.getTime() + 90 * dayMs) : new Date(body.expiresAt);
    mustBeToCome('expiresAt', expiresAt, now, longestDays * dayMs);
    return this.changes.make(request, 'operator.create', async (tx) => {
      const { operator, token } = await this.operators.create(tx, operatorOf(request), { ...body, expiresAt });
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

  @Get(':id')
  @Answers(200, operatorView)
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof operatorView>> {
    return viewOperator(await this.operators.find(id));
  }

  /** Ends the token for good, in both programs, at once. */
  @Post(':id/revoke')
  @HttpCode(200)
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
}

function viewOperator(operator: OperatorSummary): z.infer<typeof operatorView> {
  const { id, name, scopes, lastFour } = operator;
  return {
    id,
    name,
    scopes: [...scopes],
    lastFour,
    createdAt: operator.createdAt.toISOString(),
    expiresAt: operator.expiresAt.toISOString(),
    revokedAt: operator.revokedAt?.toISOString() ?? null,
  };
}
