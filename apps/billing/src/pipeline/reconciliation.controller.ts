import type { Clock } from '@keyfare/core/time';
import { Admin, Changes, idParam, pageOf, pageQuery, positions, readCursor, toPage } from '@keyfare/gate/operators';
import { Body, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type AskedRun, RunStore } from '../reconcile/run-store.js';
import { ReportService } from '../reports/report.service.js';
import { runView, viewRun } from '../reports/run-view.js';
import { clock } from '../tokens.js';
import { ReconcileJob } from './reconcile.job.js';

const action = 'reconciliation.run';

const runRequest = z
  .strictObject({ scope: z.enum(['recent', 'full']).optional() })
  .nullish()
  .meta({ id: 'ReconciliationRequest' });
const askedView = z
  .object({
    id: z.string(),
    scope: z.enum(['recent', 'full']),
    trigger: z.enum(['manual', 'schedule']),
    state: z.enum(['queued', 'running', 'done', 'failed']),
    /** The check that it is at, and how many of them are behind it. */
    progress: z.object({ check: z.string().nullable(), done: z.int(), total: z.int() }),
    requestedAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    finishedAt: z.iso.datetime().nullable(),
    failure: z.string().nullable(),
  })
  .meta({ id: 'ReconciliationRun' });
const askedPage = pageOf(askedView).meta({ id: 'ReconciliationRunPage' });
const listQuery = z.strictObject(pageQuery);
const foundView = runView
  .omit({ id: true, trigger: true, startedAt: true, finishedAt: true })
  .partial()
  .extend(askedView.shape)
  .meta({ id: 'ReconciliationState' });

/** Runs of the reconciliation. */
@ApiBearerAuth()
@Admin('reconciliations')
export class ReconciliationController {
  constructor(
    private readonly job: ReconcileJob,
    private readonly runs: RunStore,
    private readonly reports: ReportService,
    private readonly changes: Changes,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Asks for a run: one that waits or goes on and reads as much, or a new one. Its state is at `Location`. */
  @Post()
  @HttpCode(202)
  @ApiAcceptedResponse({ standardSchema: askedView })
  async run(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: runRequest }) body: z.infer<typeof runRequest>,
  ): Promise<z.infer<typeof askedView>> {
    const scope = body?.scope ?? 'recent';
    const answer = await this.changes.make(request, action, async (tx) => {
      const asked = viewAsked(await this.runs.ask(tx, { scope, trigger: 'manual' }));
      return { subject: asked.id, before: null, after: asked, answer: asked };
    });
    void reply.header('location', `/reconciliations/${answer.id}`);
    this.job.wake();
    return answer;
  }

  /** The newest first, with those that wait. */
  @Get()
  @ApiOkResponse({ standardSchema: askedPage })
  async list(
    @Query({ schema: listQuery }) { limit, cursor }: z.infer<typeof listQuery>,
  ): Promise<z.infer<typeof askedPage>> {
    const [at = '', id = ''] = readCursor('reconciliations', cursor, [positions.time, z.uuid()]) ?? [];
    const after = at === '' ? null : { at, id };
    return toPage(await this.runs.list({ after, limit }), {
      list: 'reconciliations',
      limit,
      position: (run) => [run.requestedAt.toISOString(), run.id],
      view: viewAsked,
    });
  }

  /** The last run. */
  @Get('latest')
  @ApiOkResponse({ standardSchema: runView })
  async latest(): Promise<z.infer<typeof runView>> {
    return viewRun(await this.reports.latest(), this.now());
  }

  /** A run as it waits, goes on, or has ended: then with what it found, and the breaks that are open now. */
  @Get(':id')
  @ApiOkResponse({ standardSchema: foundView })
  async find(@Param('id', idParam) id: string): Promise<z.infer<typeof foundView>> {
    const asked = await this.runs.find(id);
    if (asked.state !== 'done') return viewAsked(asked);
    const run = await this.reports.withBreaks(await this.reports.run(id));
    return { ...viewAsked(asked), ...viewRun(run, this.now()) };
  }

  /** Ends a run that waits or goes on, of which then nothing is kept. One that has ended stays as it is. */
  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: askedView })
  async cancel(@Req() request: FastifyRequest, @Param('id', idParam) id: string): Promise<z.infer<typeof askedView>> {
    return this.changes.make(request, 'reconciliation.cancel', async (tx) => {
      const before = viewAsked(await this.runs.find(id, tx));
      const answer = viewAsked(await this.runs.cancel(tx, id));
      return { subject: id, before, after: answer, answer };
    });
  }
}

function viewAsked(run: AskedRun): z.infer<typeof askedView> {
  const { id, scope, trigger, state, check, checksDone, checksTotal, failure } = run;
  return {
    id,
    scope,
    trigger,
    state,
    progress: { check, done: checksDone, total: checksTotal },
    requestedAt: run.requestedAt.toISOString(),
    startedAt: run.startedAt?.toISOString() ?? null,
    finishedAt: run.finishedAt?.toISOString() ?? null,
    failure,
  };
}
