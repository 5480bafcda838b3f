export {
  attempt,
  ConfigurationError,
  gateEnvironment,
  type Peppers,
  parseEnvironment,
  parseGateEnvironment,
  withSecretFiles,
} from '../config.js';
export { type ChainState, chainState, otherChainFault, servesOtherChain } from '../other-chain.js';
export { networkSettings } from '../payment-config.js';
export { isProduction, productionFaults, secretSettings } from '../production-config.js';
export { programTexts, type SettingText, settingTexts, watchTexts } from '../setting-texts.js';
export { type AdapterSettings, createAdapter } from './adapter.js';
export { createLogger, droppedLines, NestLogger } from './logger.js';
export { ProblemFilter } from './problem.filter.js';
export { RouteTable } from './route-table.js';
export { main, type ServerSettings, startServer } from './run.js';
export { atMostTwiceASecond, Watch, watchEnvironment } from './watch.js';
