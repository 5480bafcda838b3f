import 'reflect-metadata';
import { createLogger, main, startServer, Watch } from '@keyfare/gate/server';
import { BillingModule } from './billing.module.js';
import { readBillingConfig } from './config.js';
import { serveConsole } from './console/pages.js';
import { serveOpenApi } from './openapi.js';

await main(async () => {
  const config = readBillingConfig(process.env);
  const watch = new Watch(config.watch);
  const logger = createLogger({ name: 'billing', level: config.logLevel });
  await startServer({
    module: BillingModule.forRoot(config, { watch }),
    watch,
    logger,
    host: config.host,
    port: config.port,
    trustedProxies: config.trustedProxies,
    prepare: async (app) => {
      serveOpenApi(app);
      serveConsole(app);
    },
  });
});
