import type { Clock } from '@keyfare/core/time';
import { Admin } from '@keyfare/gate/operators';
import { Body, Get, Inject, Param, Patch, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { clock } from '../tokens.js';
import { BreakService } from './break.service.js';
import { breakView, viewBreak } from './break-view.js';
import { breakClasses } from './checks/check.js';

const text = z.string().trim().min(1).max(2_000);

const breakQuery = z.object({
  status: z.enum(['open', 'resolved']).optional(),
  class: z.enum(breakClasses).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
});

const breakChange = z
  .strictObject({
    owner: z.string().trim().min(1).max(200).nullable().optional(),
    resolution: text.nullable().optional(),
    note: text.nullable().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, { error: 'must change something' })
  .meta({ id: 'BreakChange' });

/** What does not agree, and who looks into it. */
@ApiBearerAuth()
@Admin('breaks')
export class BreakController {
  constructor(
    private readonly breaks: BreakService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  @Get()
  @ApiOkResponse({ standardSchema: z.array(breakView) })
  async list(@Query({ schema: breakQuery }) query: z.infer<typeof breakQuery>): Promise<z.infer<typeof breakView>[]> {
    return (await this.breaks.list(query)).map((found) => viewBreak(found, this.now()));
  }

  @Get(':id')
  @ApiOkResponse({ standardSchema: breakView })
  async find(@Param('id') id: string): Promise<z.infer<typeof breakView>> {
    return viewBreak(await this.breaks.find(id), this.now());
  }

  @Patch(':id')
  @ApiOkResponse({ standardSchema: breakView })
  async change(
    @Param('id') id: string,
    @Body({ schema: breakChange }) change: z.infer<typeof breakChange>,
  ): Promise<z.infer<typeof breakView>> {
    return viewBreak(await this.breaks.change(id, change), this.now());
  }
}
