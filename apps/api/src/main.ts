import 'reflect-metadata';
import { createLogger, main, startServer, Watch } from '@keyfare/gate/server';
import { ApiModule } from './api.module.js';
import { readApiConfig } from './config.js';
import { serveDocs } from './docs.js';

await main(async () => {
  const config = readApiConfig(process.env);
  const watch = new Watch(config.watch);
  const logger = createLogger({ name: 'api', level: config.logLevel });
  await startServer({
    module: ApiModule.forRoot({ ...config, watch }),
    watch,
    logger,
    host: config.host,
    port: config.port,
    trustedProxies: config.trustedProxies,
    prepare: serveDocs,
  });
});
