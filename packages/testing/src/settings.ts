import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { networks } from '@keyfare/core/x402';
import { gateEnvironment } from '@keyfare/gate/deployment';
import type { GateOptions, GateOverride } from '@keyfare/gate/module';
import type { TestChain } from './chain/index.js';
import type { TestClock } from './clock.js';

/** Where a gate of a test is. */
interface Place {
  readonly databaseEnv: Readonly<Record<string, string>>;
  readonly chain: TestChain;
  readonly settleTimeoutMs: number;
}

/** The secrets and addresses of one deployment, made up for one test file. */
export function makeSettings({ databaseEnv, chain, settleTimeoutMs }: Place) {
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    ...databaseEnv,
    NETWORK: chain.network.name,
    RPC_URL: chain.rpcUrl,
    PAY_TO: `0x${randomBytes(20).toString('hex')}`,
    PUBLIC_URL: 'http://gate.test',
    SETTLER_PRIVATE_KEY: `0x${randomBytes(32).toString('hex')}`,
    RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    API_KEY_PEPPERS: `test:${randomBytes(32).toString('base64url')}`,
    SETTLE_TIMEOUT_MS: String(settleTimeoutMs),
  } as const;
}

const variables = new Set([...Object.keys(gateEnvironment.shape), 'NETWORKS']);
const suffixes = ['_FILE', ...networks.map(({ name }) => `_${name.replaceAll('-', '_').toUpperCase()}`)];

/** Whether a variable of the environment is a setting of a gate, its file, or that of one network. */
export function isGateVariable(name: string): boolean {
  const bare = suffixes.reduce((text, suffix) => (text.endsWith(suffix) ? text.slice(0, -suffix.length) : text), name);
  return variables.has(name) || variables.has(bare);
}

/** Options that say where a gate is and with what secrets: those are the test's to say. */
const ofTheTest = [
  'network',
  'networks',
  'rpcUrl',
  'payTo',
  'settlerPrivateKey',
  'settlerPreviousKeys',
  'pool',
  'dataSource',
  'databaseUrl',
  'directDatabaseUrl',
  'migrationDatabaseUrl',
  'publicUrl',
  'receiptSigningKey',
  'apiKeyPeppers',
  'retiringPeppers',
  'settleTimeoutMs',
] as const satisfies readonly (keyof GateOptions)[];

/**
 * Puts a gate where the test wants it, whatever its module says: on the test's database, chain and clock, with none of
 * the environment's settings. A pool of the host's, which may lead anywhere, is left to the host. What else the module
 * says stays.
 */
export function overrideWith(env: Readonly<Record<string, string>>, clock: TestClock): GateOverride {
  return (options) => {
    const kept = Object.fromEntries(
      Object.entries(options).filter(([name]) => !(ofTheTest as readonly string[]).includes(name)),
    );
    return { ...kept, env, clock };
  };
}
