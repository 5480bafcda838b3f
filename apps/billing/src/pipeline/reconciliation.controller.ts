import type { Clock } from '@keyfare/core/time';
import { Admin, Changes } from '@keyfare/gate/operators';
import { Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Run } from '../reconcile/reconcile.service.js';
import { ReportService } from '../reports/report.service.js';
import { runView, viewRun } from '../reports/run-view.js';
import { clock } from '../tokens.js';
import { ReconcileJob } from './reconcile.job.js';

const action = 'reconciliation.run';

/** Runs of the reconciliation. */
@ApiBearerAuth()
@Admin('reconciliations')
export class ReconciliationController {
  constructor(
    private readonly job: ReconcileJob,
    private readonly reports: ReportService,
    private readonly changes: Changes,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Brings the books up to the present, reconciles, and answers the report. Who asks while a run is under way is
   * answered that run's report, when it is there: `startedAt` says of when it is.
   */
  @Post()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: runView })
  async run(@Req() request: FastifyRequest): Promise<z.infer<typeof runView>> {
    const before = await this.changes.answered<z.infer<typeof runView>>(request);
    if (before !== null) return before;
    let own: z.infer<typeof runView> | undefined;
    const run = await this.job.run('manual', async (tx, begun) => {
      const answer = viewRun(await this.reports.withBreaks(begun, tx), this.now());
      own = await this.changes.record(tx, request, { action, ...changeOf(begun), answer });
    });
    if (own !== undefined) return own;
    // Another began it. That this operator asked for it too is a line of its own.
    const answer = viewRun(await this.reports.withBreaks(run), this.now());
    return this.changes.make(request, action, async () => ({ ...changeOf(run), answer }));
  }

  /** The last run. */
  @Get('latest')
  @ApiOkResponse({ standardSchema: runView })
  async latest(): Promise<z.infer<typeof runView>> {
    return viewRun(await this.reports.latest(), this.now());
  }
}

function changeOf({ id, trigger, startedAt, finishedAt, digest }: Run): {
  readonly subject: string;
  readonly before: null;
  readonly after: object;
} {
  const after = {
    id,
    trigger,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    digest: digest.toString('hex'),
  };
  return { subject: id, before: null, after };
}
