import { nameText, noteText } from '@keyfare/core/text';
import type { Clock } from '@keyfare/core/time';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  requireMatch,
  requireScope,
  Tagged,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, Inject, Param, Patch, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { clock } from '../tokens.js';
import { BreakService } from './break.service.js';
import { breakView, settledPart, viewBreak } from './break-view.js';
import { breakClasses } from './checks/check.js';

const breakQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(['open', 'resolved']).optional(),
  class: z.enum(breakClasses).optional(),
});
const breakPage = pageOf(breakView).meta({ id: 'BreakPage' });

const breakChange = z
  .strictObject({
    owner: nameText.nullable().optional(),
    resolution: noteText.nullable().optional(),
    note: noteText.nullable().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, { error: 'must change something' })
  .meta({ id: 'BreakChange', description: '`resolution`: a text resolves the break, null opens it again.' });

/** What does not agree, and who looks into it. */
@ApiBearerAuth()
@Admin('breaks')
export class BreakController {
  constructor(
    private readonly changes: Changes,
    private readonly breaks: BreakService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The oldest first. */
  @Get()
  @ApiOkResponse({ standardSchema: breakPage })
  async list(@Query({ schema: breakQuery }) query: z.infer<typeof breakQuery>): Promise<z.infer<typeof breakPage>> {
    const { cursor, ...rest } = query;
    const [after = null] = readCursor('breaks', cursor, [positions.id]) ?? [];
    const now = this.now();
    return toPage(await this.breaks.list({ ...rest, after }), {
      list: 'breaks',
      limit: query.limit,
      position: ({ id }) => [id],
      view: (found) => viewBreak(found, now),
    });
  }

  @Get(':id')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: breakView })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof breakView>> {
    return viewBreak(await this.breaks.find(id), this.now());
  }

  /**
   * Only what is named changes, and only of the version that `If-Match` names. To resolve and to reopen takes `money`.
   */
  @Patch(':id')
  @Needs('write', 'money')
  @Tagged(settledPart)
  @ApiOkResponse({ standardSchema: breakView })
  async change(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: breakChange }) change: z.infer<typeof breakChange>,
  ): Promise<z.infer<typeof breakView>> {
    if (change.resolution !== undefined) requireScope(request, 'money');
    if (change.owner !== undefined || change.note !== undefined) requireScope(request, 'write');
    return this.changes.make(request, 'break.change', async (tx) => {
      const before = viewBreak(await this.breaks.lock(tx, id), this.now());
      requireMatch(request, settledPart(before));
      const after = viewBreak(await this.breaks.change(tx, id, change), this.now());
      return { subject: id, before, after, answer: after };
    });
  }
}
