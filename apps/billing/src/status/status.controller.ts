import { catalogue, isProblemCode, Problem } from '@keyfare/core/problem';
import { Watch } from '@keyfare/gate/server';
import { Controller, Get, Header, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { collectDefaultMetrics } from 'prom-client';
import { BillingHealth } from './health.js';
import { BillingMetrics } from './metrics.js';

/** For whoever watches the process, and for whoever it refused something. The only routes without a token. */
@ApiExcludeController()
@Controller()
export class StatusController {
  constructor(
    private readonly health: BillingHealth,
    private readonly watch: Watch,
    metrics: BillingMetrics,
  ) {
    collectDefaultMetrics({ register: metrics.registry });
  }

  /** The process answers. Nothing else is asked, so that a database in trouble does not get it restarted. */
  @Get('healthz')
  healthz(): object {
    return { status: 'ok' };
  }

  /**
   * 503 without the books, and while the process is about to stop. Without the API or the chain they are answered from,
   * as of an earlier moment.
   */
  @Get('readyz')
  async readyz(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const parts = await this.health.readiness();
    const degraded = parts.feed === 'down' || parts.chain !== 'up' || parts.standstills.length > 0;
    const found = parts.database === 'down' ? 'unavailable' : degraded ? 'degraded' : 'ready';
    const status = this.watch.isStopping ? 'stopping' : found;
    reply.status(status === 'unavailable' || status === 'stopping' ? 503 : 200);
    return this.watch.trusts(request) ? { status, ...parts } : { status };
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  async prometheus(@Req() request: FastifyRequest): Promise<string> {
    this.watch.demandTrust(request);
    return this.health.prometheus();
  }

  /** The page that a problem's `type` leads to. */
  @Get('problems/:room/:code')
  @Header('cache-control', 'public, max-age=3600')
  page(@Param('room') room: string, @Param('code') name: string): object {
    const code = `${room}/${name}`;
    if (!isProblemCode(code)) throw new Problem('request/not-found');
    const { status, title, remedy } = catalogue[code];
    return { code, status, title, remedy };
  }
}
