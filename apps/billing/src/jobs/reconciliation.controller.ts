import type { Clock } from '@keyfare/core/time';
import { Admin } from '@keyfare/gate/operators';
import { Get, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { ReportService } from '../reports/report.service.js';
import { runView, viewRun } from '../reports/run-view.js';
import { clock } from '../tokens.js';
import { ReconcileJob } from './reconcile.job.js';

/** Runs of the reconciliation. */
@ApiBearerAuth()
@Admin('reconciliations')
export class ReconciliationController {
  constructor(
    private readonly job: ReconcileJob,
    private readonly reports: ReportService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Brings the books up to the present, reconciles, and answers the report. */
  @Post()
  @HttpCode(200)
  @ApiOkResponse({ standardSchema: runView })
  async run(): Promise<z.infer<typeof runView>> {
    await this.job.run('manual');
    return this.latest();
  }

  /** The last run. */
  @Get('latest')
  @ApiOkResponse({ standardSchema: runView })
  async latest(): Promise<z.infer<typeof runView>> {
    return viewRun(await this.reports.latest(), this.now());
  }
}
