import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { configFrom } from './async-options.js';
import { type GateConfig, gateEnvironment, readGateConfig } from './config.js';
import { networkOptionNames, optionOf, settingOptions, variableOf } from './option-settings.js';
import type { GateOptions, SettingOptions } from './options.js';
import { ConfigurationError } from './setting.js';

const key = (): string => `0x${randomBytes(32).toString('hex')}`;
const pem = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const pepper = (id: string) => ({ id, secret: randomBytes(32).toString('base64url') });
const needed = {
  payTo: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  databaseUrl: 'postgres://u:k3Zp-9vQ@db/keyfare',
  rpcUrl: 'https://node.example',
  settlerPrivateKey: key(),
  receiptSigningKey: pem(),
  apiKeyPeppers: [pepper('p1'), pepper('p0')],
} satisfies GateOptions;

/** A value of each option that is none of the defaults. */
const values: Required<Omit<SettingOptions, 'networks'>> = {
  ...needed,
  network: 'sei-testnet',
  directDatabaseUrl: 'postgres://api:k3Zp-9vQ@db/keyfare',
  migrationDatabaseUrl: 'postgres://owner:k3Zp-9vQ@db/keyfare',
  migrate: false,
  publicUrl: 'https://api.example/sold',
  mountPath: '/inner',
  corsOrigins: ['https://app.example', 'https://two.example'],
  operatorCorsOrigins: '*',
  rpcTimeoutMs: 4_000,
  rpcBatchCalls: 5,
  retiringPeppers: ['p0'],
  keyEnvironment: 'live',
  settlerPreviousKeys: [key(), key()],
  confirmations: 0,
  batchContract: 'none',
  batchSize: 7,
  settlementGasLimit: 200_000,
  maxGasPriceGwei: '1.5',
  maxSettlementCostEther: '0.002',
  maxGasPercent: 9,
  etherPriceUsd: '3000.50',
  etherPriceEur: '2900',
  maxTimeoutSeconds: 200,
  settleTimeoutMs: 20_000,
  replaceAfterMs: 50_000,
  handlerTimeoutMs: 10_000,
  answerMaxBytes: 0,
  answerMaxAgeSeconds: 3_600,
  answerRetrySeconds: 0,
  keyCacheMaxAgeMs: 0,
  replicaTtlMs: 7_000,
  sessionIdleSeconds: 600,
  sessionMaxSeconds: 7_200,
  refusedPaymentsPerAddress: 3,
  refusedPaymentsTotal: 4,
  settlerLowSettlements: 5,
  deferredTimeoutSeconds: 3_000,
  deferredMarginSeconds: 200,
  deferredCount: 11,
  deferredAmountUsd: '2.50',
  deferredAmountEur: '2.25',
  deferredAgeSeconds: 100,
  deferredIntervalMs: 900,
  balanceIntervalMs: 800,
  maxOpenPerPayerUsd: '0.25',
  maxOpenTotalUsd: '12',
  maxOpenPerPayerEur: '0.20',
  maxOpenTotalEur: '11',
};

/** The same, as operators write it. */
function asVariable(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const items = value as readonly (string | { readonly id: string; readonly secret: string })[];
  return items.map((item) => (typeof item === 'string' ? item : `${item.id}:${item.secret}`)).join(',');
}

const plain = (config: GateConfig): object =>
  Object.fromEntries(Object.entries(config).filter(([name]) => name !== 'inOptionNames'));
const environmentOf = (options: object): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [variableOf(name), asVariable(value)]));

function faultsOf(options: GateOptions): readonly string[] {
  try {
    configFrom(options);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

describe('the options of a gate', () => {
  it('leave out no setting of the environment', () => {
    const settings = Object.keys(gateEnvironment.shape).filter((name) => name !== 'NETWORKS');
    expect(settings.map(optionOf).toSorted()).toEqual(Object.keys(settingOptions).toSorted());
    expect(Object.keys(values).toSorted()).toEqual(Object.keys(settingOptions).toSorted());
  });

  it('alone make a whole configuration, the one that the same environment makes', () => {
    const { env: _, ...bare } = { env: false, ...values };
    expect(plain(configFrom({ ...values, env: false }))).toEqual(plain(readGateConfig({}, environmentOf(bare))));
  });

  it('change the configuration, each of them', () => {
    const usual = { ...needed, apiKeyPeppers: values.apiKeyPeppers };
    const before = plain(readGateConfig(usual, {}));
    const silent = (Object.keys(values) as (keyof typeof values)[]).filter((name) =>
      isDeepStrictEqual(plain(readGateConfig({ ...usual, [name]: values[name] }, {})), before),
    );
    expect(silent).toEqual(Object.keys(needed));
  });

  it.each(Object.keys(values) as (keyof typeof values)[])(
    '%s says what its variable says, and wins over it',
    (name) => {
      const usual = { ...needed, ...(name === 'retiringPeppers' ? {} : { apiKeyPeppers: values.apiKeyPeppers }) };
      const { [name as keyof typeof usual]: _, ...rest } = usual;
      const variable = { [variableOf(name)]: asVariable(values[name]) };
      const expected = plain(readGateConfig({}, { ...environmentOf(rest), ...variable }));
      expect(plain(readGateConfig({ ...rest, [name]: values[name] }, {}))).toEqual(expected);
      const other = environmentOf({ ...needed, payTo: `0x${'ab'.repeat(20)}`, [name]: 'wrong' });
      expect(plain(readGateConfig({ ...rest, [name]: values[name] }, other))).toEqual(expected);
    },
  );

  it('name networks as a list, the first one the default of all', () => {
    const { payTo, rpcUrl: _, settlerPrivateKey, ...shared } = needed;
    const own = { payTo: '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359', settlerPrivateKey: key(), confirmations: 20 };
    const options = {
      ...shared,
      env: false,
      publicUrl: 'https://api.example',
      networks: [
        { network: 'base-sepolia', rpcUrl: 'https://one.example', payTo, settlerPrivateKey },
        { network: 'eip155:8453', rpcUrl: 'https://two.example', ...own },
      ],
    } as const;
    const { networks, network } = configFrom(options);
    expect(network.name).toBe('base-sepolia');
    expect(networks.map(({ network: { name }, rpcUrl, confirmations }) => [name, rpcUrl, confirmations])).toEqual([
      ['base-sepolia', 'https://one.example', 2],
      ['base', 'https://two.example', 20],
    ]);
    expect(networks.map(({ payTo: to, settlerKey }) => [to, settlerKey])).toEqual([
      [payTo.toLowerCase(), settlerPrivateKey],
      [own.payTo.toLowerCase(), own.settlerPrivateKey],
    ]);
  });

  it('of a network are all settings that may have its name at their end', () => {
    const per = [
      'PAY_TO',
      'RPC_URL',
      'SETTLER_PRIVATE_KEY',
      'SETTLER_PREVIOUS_KEYS',
      'CONFIRMATIONS',
      'BATCH_CONTRACT',
    ];
    const rest = [
      'BATCH_SIZE',
      'SETTLEMENT_GAS_LIMIT',
      'MAX_GAS_PRICE_GWEI',
      'MAX_SETTLEMENT_COST_ETHER',
      'MAX_GAS_PERCENT',
    ];
    expect(networkOptionNames.map(variableOf).toSorted()).toEqual(
      [...per, ...rest, 'ETHER_PRICE_USD', 'ETHER_PRICE_EUR'].toSorted(),
    );
  });

  it.each<[string, object, readonly string[]]>([
    ['an unknown option', { payto: needed.payTo }, ['payto is no option of the gate']],
    ['the name of a variable', { PAY_TO: needed.payTo }, ['PAY_TO is no option of the gate']],
    ['a number in quotes', { rpcTimeoutMs: '3000' }, ['rpcTimeoutMs must be a number']],
    ['null', { payTo: null }, ['payTo must be a string']],
    ['an empty secret', { databaseUrl: '' }, ['databaseUrl must not be empty']],
    ['a number out of bounds', { batchSize: 1.5 }, ['batchSize must be a whole number']],
    ['a flag in quotes', { migrate: 'false' }, ['migrate must be true or false']],
    ['a list in one string', { retiringPeppers: 'p0,p1' }, ['retiringPeppers must be a list of strings']],
    [
      'a list with commas in it',
      { retiringPeppers: ['p0,p1'] },
      ['retiringPeppers[0] must be without commas and spaces'],
    ],
    [
      'a pepper with a comma in it',
      { apiKeyPeppers: [{ id: 'a', secret: 'b,c:d' }] },
      ['apiKeyPeppers[0].secret must be without commas, colons and spaces'],
    ],
    [
      'a network that is unknown',
      { networks: [{ network: 'base-sepolia' }, { network: 'moon' }] },
      ['networks[1].network is no network that payments are taken on'],
    ],
    [
      'a network twice, with an unknown option and without a node',
      { networks: [{ network: 'base-sepolia' }, { network: 'base', rpc: 1 }, { network: 'base-sepolia' }] },
      [
        'networks[1].rpc is no option of a network',
        'networks[1].rpcUrl is missing',
        'networks[2].network is there twice',
        'publicUrl is missing: set the origin that callers use, for it stands in offers and receipts',
      ],
    ],
    [
      'networks beside a network',
      { network: 'base-sepolia', networks: [{ network: 'base-sepolia' }] },
      ['network must not be given beside networks, whose first one it is'],
    ],
    ['no network', { networks: [] }, ['networks must be a list of at least one network']],
    [
      'times that contradict each other',
      { maxTimeoutSeconds: 30 },
      ['maxTimeoutSeconds must be at least 66: handlerTimeoutMs, settleTimeoutMs and a margin'],
    ],
    [
      'an example secret in production',
      { network: 'base', publicUrl: 'https://api.example', settlerPrivateKey: `0x${'0'.repeat(63)}1` },
      ['settlerPrivateKey can be guessed, or is the one of .env.example: make one of a wallet that does nothing else'],
    ],
    ['a pool beside a URL', { pool: {} }, ['pool, dataSource and databaseUrl exclude each other: give one of them']],
  ])('refuse %s, by the name of the option and without its value', (_what, wrong, faults) => {
    expect(faultsOf({ env: false, ...needed, ...wrong }).toSorted()).toEqual(faults);
  });

  it('that are missing are named as options where there is no environment, and as variables where there is one', () => {
    const { payTo: _, ...rest } = needed;
    expect(faultsOf({ ...rest, env: false })).toEqual(['payTo is missing']);
    expect(faultsOf({ ...rest, env: {} })).toEqual(['PAY_TO is missing']);
    expect(faultsOf({ ...rest, env: { BATCH_SIZE: 'many', PAY_TO: needed.payTo }, rpcUrl: 'x' })).toEqual([
      'rpcUrl must be an http or https URL',
      'BATCH_SIZE must be a number',
    ]);
  });

  it('are held to the checks of production by NODE_ENV, whatever environment they name', () => {
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(configFrom({ ...needed, env: false, publicUrl: 'https://api.example' }).isProduction).toBe(true);
      expect(faultsOf({ ...needed, env: false })).toEqual([
        'publicUrl is missing: set the origin that callers use, for it stands in offers and receipts',
      ]);
    } finally {
      if (before === undefined) delete process.env['NODE_ENV'];
      else process.env['NODE_ENV'] = before;
    }
  });

  it('that are an empty list take away what the environment says', () => {
    const env = { SETTLER_PREVIOUS_KEYS: key() };
    expect(readGateConfig(needed, env).networks[0]?.previousSettlerKeys).toHaveLength(1);
    expect(readGateConfig({ ...needed, settlerPreviousKeys: [] }, env).networks[0]?.previousSettlerKeys).toEqual([]);
  });
});
