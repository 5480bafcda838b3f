import type { Sql } from '@keyfare/db/sql';
import { Admin, auditPage, auditQuery, operatorPool, readAudit } from '@keyfare/gate/operators';
import { Free } from '@keyfare/gate/tariff';
import { Get, Inject, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { z } from 'zod';

/** Who changed what. Billing has its own of these for what is changed there. */
@Free()
@ApiBearerAuth()
@Admin('admin/audit')
export class AuditController {
  constructor(@Inject(operatorPool) private readonly sql: Sql) {}

  @Get()
  @ApiOkResponse({ standardSchema: auditPage })
  async list(@Query({ schema: auditQuery }) query: z.infer<typeof auditQuery>): Promise<z.infer<typeof auditPage>> {
    return readAudit(this.sql, 'keyfare', query);
  }
}
