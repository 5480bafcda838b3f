import 'reflect-metadata';
import { createLogger, main, startServer, Watch } from '@keyfare/gate/server';
import { Priced } from '@keyfare/gate/tariff';
import { Controller, Get, Module } from '@nestjs/common';
import { ApiModule } from '../src/api.module.js';
import { readApiConfig } from '../src/config.js';

/** A route for each flow of a payment. */
@Controller('flows')
class FlowsController {
  @Priced({ sku: 'after', price: '$0.001' })
  @Get('authorization')
  authorization(): object {
    return { flow: 'authorization' };
  }

  @Priced({ sku: 'before', price: '$0.001', flow: 'upfront' })
  @Get('upfront')
  upfront(): object {
    return { flow: 'upfront' };
  }

  @Priced({ sku: 'later', price: '$0.001', flow: 'deferred' })
  @Get('deferred')
  deferred(): object {
    return { flow: 'deferred' };
  }
}

/** The API with those routes beside its own, in a process that a test kills. */
await main(async () => {
  const config = readApiConfig(process.env);
  const watch = new Watch(config.watch);
  @Module({ imports: [ApiModule.forRoot({ ...config, watch })], controllers: [FlowsController] })
  class FlowsModule {}
  const logger = createLogger({ name: 'flows', level: config.logLevel });
  await startServer({ module: FlowsModule, logger, watch, host: config.host, port: config.port });
});
