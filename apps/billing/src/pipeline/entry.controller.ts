import { noteText } from '@keyfare/core/text';
import { SqlPool } from '@keyfare/db/sql';
import {
  Admin,
  Changes,
  idParam,
  Needs,
  operatorOf,
  pageOf,
  pageQuery,
  positions,
  readCursor,
  toPage,
} from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EntryStore, type RefusedEntry } from '../intake/entry-store.js';
import { IntakeService } from '../intake/intake.service.js';
import { EntryStories } from './entry-story.js';
import { entryView, viewEntry } from './entry-view.js';
import { IntakeJob } from './intake.job.js';

const faults = [
  'receipt-invalid',
  'digest-mismatch',
  'receipt-missing',
  'usage-mismatch',
  'terms-missing',
  'call-mismatch',
  'account-ended',
] as const;
const refusedView = z
  .object({
    id: z.string(),
    place: z.string(),
    kind: z.string(),
    principal: z.string(),
    fault: z.enum(faults).nullable().meta({ description: 'Null when the entry was readmitted.' }),
    detail: z.string().nullable(),
    readAt: z.iso.datetime(),
  })
  .meta({ id: 'RefusedEntry' });
const entryPage = pageOf(refusedView).meta({ id: 'RefusedEntryPage' });
const entryQuery = z.strictObject({ ...pageQuery, fault: z.enum(faults).optional() });
const readmission = z.strictObject({ reason: noteText }).meta({ id: 'Readmission' });

type View = z.infer<typeof refusedView>;

/** Entries of the log: those that were refused, and any one with what became of it in the books. */
@ApiBearerAuth()
@Admin('entries')
export class EntryController {
  constructor(
    private readonly changes: Changes,
    private readonly sql: SqlPool,
    private readonly entries: EntryStore,
    private readonly intake: IntakeService,
    private readonly job: IntakeJob,
    private readonly stories: EntryStories,
  ) {}

  /** Those that were refused, in the order of the log. */
  @Get()
  @ApiOkResponse({ standardSchema: entryPage })
  async list(@Query({ schema: entryQuery }) query: z.infer<typeof entryQuery>): Promise<z.infer<typeof entryPage>> {
    const { cursor, limit, fault } = query;
    const [after = null] = readCursor('entries', cursor, [positions.count]) ?? [];
    return toPage(await this.entries.refused(this.sql, { after, fault, limit: limit + 1 }), {
      list: 'entries',
      limit,
      position: ({ row }) => [row.place],
      view: viewRefused,
    });
  }

  /** One entry, good or refused, by its id, which its receipt has too; with everything that the books have of it. */
  @Get(':id')
  @ApiOkResponse({ standardSchema: entryView })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof entryView>> {
    return viewEntry(await this.stories.find(id));
  }

  /** Checks it again, and books it as if it had been read now. */
  @Post(':id/readmit')
  @HttpCode(200)
  @Needs('money')
  @ApiOkResponse({ standardSchema: refusedView })
  async readmit(
    @Req() request: FastifyRequest,
    @Param('id', idParam) id: string,
    @Body({ schema: readmission }) { reason }: z.infer<typeof readmission>,
  ): Promise<View> {
    await this.intake.refreshKeys();
    return this.changes.make(request, 'entry.readmit', async (tx) => {
      const before = viewRefused(await this.job.readmit(tx, id, { by: operatorOf(request).id, reason }));
      const answer = { ...before, fault: null, detail: null };
      return { subject: id, before, after: { ...answer, reason }, answer };
    });
  }
}

function viewRefused({ row, fault, detail, readAt }: RefusedEntry): View {
  const { id, place, kind, principal } = row;
  return { id, place, kind, principal, fault, detail, readAt: readAt.toISOString() };
}
