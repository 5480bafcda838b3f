export {
  ConfigurationError,
  type GateConfig,
  gateEnvironment,
  type NetworkSettings,
  readGateConfig,
} from './config.js';
export { migrateGate, pendingGateMigrations } from './database.js';
export { parseEnvironment, withSecretFiles } from './environment.js';
export { isTestnet } from './production-config.js';
export { gateRole, schema } from './schema.js';
