import { Watch } from '@keyfare/gate/server';
import { GateHealth } from '@keyfare/gate/services';
import { Free } from '@keyfare/gate/tariff';
import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** For whoever watches the process: whether it lives, and whether it can serve. */
@Free()
@ApiExcludeController()
@Controller()
export class StatusController {
  constructor(
    private readonly health: GateHealth,
    private readonly watch: Watch,
  ) {}

  /** The process answers. Nothing else is asked, so that a database in trouble does not get it restarted. */
  @Get('healthz')
  healthz(): object {
    return { status: 'ok' };
  }

  /**
   * 503 when no call can be served, and while the process is about to stop. What is wrong besides, such as an empty
   * settler, is told as `degraded` and why.
   */
  @Get('readyz')
  async readyz(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const parts = await this.health.readiness();
    const status = this.watch.isStopping ? 'stopping' : parts.status;
    reply.status(status === 'unavailable' || status === 'stopping' ? 503 : 200);
    return this.watch.trusts(request) ? { ...parts, status } : { status };
  }
}
