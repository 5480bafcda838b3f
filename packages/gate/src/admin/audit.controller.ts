import { Get, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Admin, auditPage, auditQuery, ListPool, readAudit } from '../operators.js';
import { Free } from '../tariff.js';
import { Answers } from './answers.js';

/** Who changed what. Billing has its own of these for what is changed there. */
@Free()
@Admin('admin/audit')
export class AuditController {
  constructor(private readonly lists: ListPool) {}

  @Get()
  @Answers(200, auditPage)
  async list(@Query({ schema: auditQuery }) query: z.infer<typeof auditQuery>): Promise<z.infer<typeof auditPage>> {
    return readAudit(this.lists, 'keyfare', query);
  }
}
