import type { Clock } from '@keyfare/core/time';
import type { SqlPool } from '@keyfare/db/sql';
import { Admin } from '@keyfare/gate/operators';
import { Get, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import { clock, reportPool } from '../tokens.js';
import { overviewView, readOverview } from './overview.js';

/** The first view of the books. */
@ApiBearerAuth()
@Admin('overview')
export class OverviewController {
  constructor(
    @Inject(reportPool) private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Revenue by day and rail, what is owed and held, allowances near their end, open breaks. */
  @Get()
  @ApiOkResponse({ standardSchema: overviewView })
  async read(): Promise<z.infer<typeof overviewView>> {
    return readOverview(this.sql, this.now());
  }
}
