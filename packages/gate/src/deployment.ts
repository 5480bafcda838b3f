export {
  ConfigurationError,
  type GateConfig,
  gateEnvironment,
  type NetworkSettings,
  parseEnvironment,
  readGateConfig,
  withSecretFiles,
} from './config.js';
export { migrateGate, pendingGateMigrations } from './database.js';
export { isTestnet } from './production-config.js';
export { gateRole, schema } from './schema.js';
