import 'reflect-metadata';
import { createLogger, main, startServer } from '@keyfare/gate/server';
import { BillingModule } from './billing.module.js';
import { readBillingConfig } from './config.js';
import { prepare } from './prepare.js';

await main(async () => {
  const config = readBillingConfig(process.env);
  const logger = createLogger({ name: 'billing', level: config.logLevel });
  await startServer({
    module: BillingModule.forRoot(config),
    logger,
    host: config.host,
    port: config.port,
    prepare,
  });
});
