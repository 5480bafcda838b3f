import { Problem } from '@keyfare/core/problem';
import { Admin, Changes, idParam } from '@keyfare/gate/operators';
import { Get, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiOkResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type QueueName, queues } from './queues.js';
import { Scheduler } from './scheduler.js';
import { BillingStatus } from './status.service.js';
import { type StatusView, statusView } from './status-view.js';

const askedJob = z
  .object({
    name: z.enum(Object.keys(queues) as [QueueName]),
    queued: z.boolean().meta({ description: 'False where one waited already: it is that one.' }),
  })
  .meta({ id: 'AskedJob' });

/** How the program is. */
@ApiBearerAuth()
@Admin('status')
export class OperationsController {
  constructor(private readonly status: BillingStatus) {}

  /** Within two seconds, whatever is away: a part that does not answer is `unavailable`. */
  @Get()
  @ApiOkResponse({ standardSchema: statusView })
  async read(): Promise<StatusView> {
    return this.status.read();
  }
}

/** What is done by the calendar. */
@ApiBearerAuth()
@Admin('jobs')
export class JobController {
  constructor(
    private readonly changes: Changes,
    private readonly scheduler: Scheduler,
  ) {}

  /** Asks for a job out of turn, such as one that failed: it begins within some seconds. */
  @Post(':name/run')
  @HttpCode(202)
  @ApiAcceptedResponse({ standardSchema: askedJob })
  async run(@Req() request: FastifyRequest, @Param('name', idParam) named: string): Promise<z.infer<typeof askedJob>> {
    const name = Object.values(queues).find((queue) => queue.name === named)?.name;
    if (name === undefined) throw new Problem('request/not-found', 'There is no such job.');
    return this.changes.make(request, 'job.run', async (tx) => {
      const answer = { name, queued: await this.scheduler.ask(tx, name) };
      return { subject: name, before: null, after: answer, answer };
    });
  }
}
