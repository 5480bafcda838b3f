import 'reflect-metadata';
import { money } from '@keyfare/core/money';
import { GateModule } from '@keyfare/gate/module';
import { createLogger, startServer, Watch } from '@keyfare/gate/server';
import { AgreementService, GateHealth, KeyService, PlanService } from '@keyfare/gate/services';
import { Free, Priced } from '@keyfare/gate/tariff';
import { Controller, Get, Module, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

const price = '$0.001';
const answer = { city: 'Berlin', sunrise: '2026-11-21T06:33:41.000Z', sunset: '2026-11-21T15:06:12.000Z' };
const watch = new Watch({ drainMs: Number(process.env['DRAIN_MS'] ?? 0) });

/** A route for each flow of a payment, and what a balancer asks. */
@Controller()
class RestartController {
  constructor(private readonly health: GateHealth) {}

  @Priced({ sku: 'after', price })
  @Get('authorization')
  authorization(): object {
    return answer;
  }

  @Priced({ sku: 'before', price, flow: 'upfront' })
  @Get('upfront')
  upfront(): object {
    return answer;
  }

  @Priced({ sku: 'later', price, flow: 'deferred' })
  @Get('deferred')
  deferred(): object {
    return answer;
  }

  @Free()
  @Get('readyz')
  async readyz(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const { database } = await this.health.readiness();
    reply.status(database === 'up' && !watch.isStopping ? 200 : 503);
    return { database };
  }
}

@Module({ imports: [GateModule.forRoot()], controllers: [RestartController] })
class RestartModule {}

const logger = createLogger({ name: 'restart', level: 'warn' });
const port = Number(process.env['PORT']);
const app = await startServer({ module: RestartModule, watch, logger, host: '127.0.0.1', port });
process.on('message', () => {
  void issueKey().then((secret) => process.send?.({ secret }));
});

async function issueKey(): Promise<string> {
  const [overagePrice, monthlyPrice] = [money('USD', 0n), money('USD', 0n)];
  const plan = {
    slug: 'restart',
    includedUnits: 1_000_000_000n,
    overage: 'reject',
    overagePrice,
    monthlyPrice,
  } as const;
  await app.get(PlanService).create(plan);
  const account = await app.get(AgreementService).open({ name: 'Restart', plan: plan.slug });
  return (await app.get(KeyService).issue(account.id, { name: 'restart' })).secret;
}
