import { Admin, auditPage, auditQuery, ListPool, readAudit } from '@keyfare/gate/operators';
import { Free } from '@keyfare/gate/tariff';
import { Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { z } from 'zod';

/** Who changed what. Billing has its own of these for what is changed there. */
@Free()
@ApiBearerAuth()
@Admin('admin/audit')
export class AuditController {
  constructor(private readonly lists: ListPool) {}

  @Get()
  @ApiOkResponse({ standardSchema: auditPage })
  async list(@Query({ schema: auditQuery }) query: z.infer<typeof auditQuery>): Promise<z.infer<typeof auditPage>> {
    return readAudit(this.lists, 'keyfare', query);
  }
}
