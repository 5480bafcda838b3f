import { noteText } from '@keyfare/core/text';
import { formatMonth, parseMonth } from '@keyfare/core/time';
import {
  Admin,
  Changes,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  Sensitive,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { checklistNames } from './checklist.js';
import { type Month, type MonthReport, MonthService } from './month.service.js';

const monthSummary = z
  .object({
    month: z.string(),
    state: z.enum(['open', 'locked']),
    lockedAt: z.iso.datetime().nullable(),
    lockedBy: z.string().nullable(),
  })
  .meta({ id: 'MonthSummary' });
const checklist = z.array(
  z.object({ name: z.enum(checklistNames), ok: z.boolean(), count: z.int(), detail: z.string() }),
);
const monthView = monthSummary
  .extend({
    /** Whether it can be locked now. */
    ready: z.boolean(),
    checklist,
    /** The newest first. */
    events: z.array(
      z.object({
        what: z.enum(['locked', 'reopened']),
        at: z.iso.datetime(),
        operator: z.object({ id: z.string(), name: z.string() }),
        reason: z.string().nullable(),
        checklist,
      }),
    ),
  })
  .meta({ id: 'Month' });
const monthPage = pageOf(monthSummary).meta({ id: 'MonthPage' });
const monthQuery = z.strictObject(pageQuery);
const reopening = z.strictObject({ reason: noteText }).meta({ id: 'MonthReopening' });

type View = z.infer<typeof monthView>;

/** The months of the books, and their close. */
@ApiBearerAuth()
@Admin('months')
export class MonthController {
  constructor(
    private readonly changes: Changes,
    private readonly months: MonthService,
  ) {}

  /** The newest first. */
  @Get()
  @ApiOkResponse({ standardSchema: monthPage })
  async list(
    @Query({ schema: monthQuery }) { limit, cursor }: z.infer<typeof monthQuery>,
  ): Promise<z.infer<typeof monthPage>> {
    const [last] = readCursor('months', cursor, [positions.time]) ?? [];
    return toPage(await this.months.list({ before: last === undefined ? null : new Date(last), limit }), {
      list: 'months',
      limit,
      position: ({ period }) => [period.start.toISOString()],
      view: viewSummary,
    });
  }

  /** What is looked at before it is locked, as it is now, and what became of it. */
  @Get(':month')
  @ApiOkResponse({ standardSchema: monthView })
  async find(@Param('month') month: string): Promise<View> {
    return viewMonth(await this.months.find(parseMonth(month)));
  }

  /** Nothing is dated into it from here on: what happens in it and is learned later is dated into the next open one. */
  @Post(':month/lock')
  @Sensitive()
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: monthView })
  async lock(@Req() request: FastifyRequest, @Param('month') month: string): Promise<View> {
    const period = parseMonth(month);
    return this.changes.make(request, 'month.lock', async (tx) => {
      const before = viewMonth(await this.months.find(period, tx));
      const after = viewMonth(await this.months.lock(tx, period, operatorOf(request)));
      return { subject: month, before, after, answer: after };
    });
  }

  /** Only the last one that is locked. */
  @Post(':month/reopen')
  @Sensitive()
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: monthView })
  async reopen(
    @Req() request: FastifyRequest,
    @Param('month') month: string,
    @Body({ schema: reopening }) { reason }: z.infer<typeof reopening>,
  ): Promise<View> {
    const period = parseMonth(month);
    return this.changes.make(request, 'month.reopen', async (tx) => {
      const before = viewMonth(await this.months.find(period, tx));
      const after = viewMonth(await this.months.reopen(tx, period, { reason, by: operatorOf(request) }));
      return { subject: month, before, after, answer: after };
    });
  }
}

function viewSummary({ period, lockedAt, lockedBy }: Month): z.infer<typeof monthSummary> {
  return {
    month: formatMonth(period),
    state: lockedAt === null ? 'open' : 'locked',
    lockedAt: lockedAt?.toISOString() ?? null,
    lockedBy,
  };
}

function viewMonth(found: MonthReport): View {
  return {
    ...viewSummary(found),
    ready: found.lockedAt === null && found.checklist.every(({ ok }) => ok),
    checklist: [...found.checklist],
    events: found.events.map(({ what, at, operatorId, operatorName, reason, checklist: then }) => {
      return {
        what,
        at: at.toISOString(),
        operator: { id: operatorId, name: operatorName },
        reason,
        checklist: [...then],
      };
    }),
  };
}
