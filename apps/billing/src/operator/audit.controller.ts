import { SqlPool } from '@keyfare/db/sql';
import { Admin, auditPage, auditQuery, readAudit } from '@keyfare/gate/operators';
import { Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { z } from 'zod';
import { schema } from '../schema.js';

/** Who changed what in the books. The API has its own of these for what is changed there. */
@ApiBearerAuth()
@Admin('audit')
export class AuditController {
  constructor(private readonly sql: SqlPool) {}

  /** The newest first. */
  @Get()
  @ApiOkResponse({ standardSchema: auditPage })
  async list(@Query({ schema: auditQuery }) query: z.infer<typeof auditQuery>): Promise<z.infer<typeof auditPage>> {
    return readAudit(this.sql, schema, query);
  }
}
