export { adminQuery, databaseUrl, ensureDatabase, keptQuery, quoteIdentifier } from './client.js';
export {
  isPostgresRunning,
  killPostgres,
  type PostgresOptions,
  type PostgresServer,
  restartPostgres,
  startPostgres,
  stopPostgres,
} from './server.js';
export { copyForStandby, promoteStandby, untilSynchronous } from './standby.js';
