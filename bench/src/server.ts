import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { money } from '@keyfare/core/money';
import { GateModule } from '@keyfare/gate/module';
import { createAdapter, createLogger, NestLogger } from '@keyfare/gate/server';
import { AgreementService, KeyService, PlanService } from '@keyfare/gate/services';
import { Free, Priced } from '@keyfare/gate/tariff';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { takeOrders } from './orders.js';
import { takeProfiles } from './profile.js';

const answer = { city: 'Berlin', sunrise: '2026-11-21T06:33:41.000Z', sunset: '2026-11-21T15:06:12.000Z' };

const large = Buffer.alloc(8 * 1_024 * 1_024, 'x');

/** One handler, sold and given away. */
@Controller()
class BenchController {
  @Priced({ sku: 'bench', price: '$0.001' })
  @Get('priced')
  priced(): object {
    return answer;
  }

  @Priced({ sku: 'bench-deferred', price: '$0.001', flow: 'deferred' })
  @Get('deferred')
  deferred(): object {
    return answer;
  }

  @Priced({ sku: 'bench-large', price: '$0.001' })
  @Get('large')
  large(): Buffer {
    return large;
  }

  @Free()
  @Get('free')
  free(): object {
    return answer;
  }
}

@Module({ imports: [GateModule.forRoot()], controllers: [BenchController] })
class BenchModule {}

const logger = createLogger({ name: 'bench', level: 'info' });
const app = await NestFactory.create<NestFastifyApplication>(BenchModule, createAdapter({ logger }), {
  logger: new NestLogger(logger),
});
app.enableShutdownHooks();
await app.listen({ host: '127.0.0.1', port: 0 });
await app.get(PlanService).create({
  slug: 'bench',
  includedUnits: 1_000_000_000n,
  overage: 'reject',
  overagePrice: money('USD', 0n),
  monthlyPrice: money('USD', 0n),
});
const account = await app.get(AgreementService).open({ name: 'Bench', plan: 'bench' });
const secrets: string[] = [];
while (secrets.length < Number(process.env['BENCH_KEYS'] ?? 1)) {
  const issued = Array.from({ length: 8 }, () => app.get(KeyService).issue(account.id, { name: 'bench' }));
  secrets.push(...(await Promise.all(issued)).map(({ secret }) => secret));
}
takeProfiles();
takeOrders(app);
const { port } = app.getHttpServer().address() as AddressInfo;
process.send?.({ url: `http://127.0.0.1:${port}`, secret: secrets[0], secrets });
