import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvExample } from '@keyfare/fixtures/compose';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { ConfigurationError, readGateConfig } from './config.js';
import { exampleValues, isBurnAddress, isProduction, secretSettings } from './production-config.js';

const example = readEnvExample();
const pem = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const key = (): string => `0x${randomBytes(32).toString('hex')}`;
const good = {
  NETWORK: 'base',
  PUBLIC_URL: 'https://api.example',
  PAY_TO: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  DATABASE_URL: 'postgres://u:k3Zp-9vQ@db/keyfare',
  RPC_URL: 'https://node.example',
  SETTLER_PRIVATE_KEY: key(),
  RECEIPT_SIGNING_KEY: pem(),
  API_KEY_PEPPERS: `p1:${randomBytes(32).toString('base64url')}`,
};

describe('in production', () => {
  it('is whoever says so, or names a network whose money is real, the first or a further one', () => {
    expect(isProduction({})).toBe(false);
    expect(isProduction({ NODE_ENV: 'test', NETWORK: 'base-sepolia', NETWORKS: 'sei-testnet' })).toBe(false);
    expect(isProduction({ NODE_ENV: 'production' })).toBe(true);
    for (const NETWORK of ['base', 'eip155:8453', 'polygon', 'avalanche', 'sei'])
      expect(isProduction({ NETWORK })).toBe(true);
    expect(isProduction({ NETWORK: 'base-sepolia', NETWORKS: 'sei-testnet, base' })).toBe(true);
  });

  it('good settings start', () => {
    expect(faultsOf(good)).toEqual([]);
    expect(faultsOf({ ...good, NETWORK: 'base-sepolia', NODE_ENV: 'production' })).toEqual([]);
  });

  it('.env.example unchanged but for its URLs is refused, each secret and address of it by name', () => {
    const urls = {
      DATABASE_URL: good.DATABASE_URL,
      MIGRATION_DATABASE_URL: good.DATABASE_URL,
      FEED_DATABASE_URL: good.DATABASE_URL,
      RPC_URL: good.RPC_URL,
      PUBLIC_URL: good.PUBLIC_URL,
    };
    expect(namesOf(faultsOf({ ...example, ...urls, NETWORK: 'base' }))).toEqual([
      'API_KEY_PEPPERS',
      'BOOTSTRAP_TOKEN',
      'KEYFARE_PASSWORD',
      'PAY_TO',
      'POSTGRES_PASSWORD',
      'RECEIPT_SIGNING_KEY',
      'SETTLER_PRIVATE_KEY',
    ]);
    expect(namesOf(faultsOf({ ...example, NODE_ENV: 'production' }))).toEqual(Object.keys(exampleValues).toSorted());
    expect(faultsOf(example)).toEqual([]);
  });

  it('what looks like a secret or an address in .env.example is known, as it stands there', () => {
    const secretLike = Object.entries(example).filter(
      ([name, value]) => value !== '' && /PASSWORD|SECRET|TOKEN|_KEYS?$|PEPPER|DATABASE_URL|^PAY_TO/.test(name),
    );
    expect(Object.fromEntries(secretLike)).toEqual(exampleValues);
    const files = Object.keys(exampleValues).filter((name) => name !== 'PAY_TO');
    expect(files.filter((name) => !secretSettings.includes(name))).toEqual([]);
  });

  it.each(Object.entries(exampleValues))('%s of .env.example is refused by itself, and not shown', (name, value) => {
    const faults = faultsOf({ ...good, [name]: value });
    expect(namesOf(faults)).toEqual([name]);
    expect(faults[0]).toMatch(/: (?:make|set) /);
    expect(faults[0]).not.toContain(value);
  });

  it.each([
    ['a token of one letter', { WATCH_TOKEN: 'x'.repeat(40) }, 'WATCH_TOKEN'],
    ['a placeholder', { BOOTSTRAP_TOKEN: 'CHANGE_ME-please-0123456789-abcdef' }, 'BOOTSTRAP_TOKEN'],
    ['a password that is a word', { DATABASE_URL: 'postgres://u:postgres@db/keyfare' }, 'DATABASE_URL'],
    ['a settler key of one byte', { SETTLER_PRIVATE_KEY: `0x${'11'.repeat(32)}` }, 'SETTLER_PRIVATE_KEY'],
    [
      'an example key behind the good one',
      { SETTLER_PREVIOUS_KEYS: `${key()},0x${'0'.repeat(63)}1` },
      'SETTLER_PREVIOUS_KEYS',
    ],
    [
      'the example pepper behind a good one',
      { API_KEY_PEPPERS: `${good.API_KEY_PEPPERS},old:${'A'.repeat(43)}` },
      'API_KEY_PEPPERS',
    ],
    [
      'an example key of one network',
      {
        NETWORKS: 'polygon',
        RPC_URL_POLYGON: 'https://p.example',
        SETTLER_PRIVATE_KEY_POLYGON: `0x${'0'.repeat(63)}1`,
      },
      'SETTLER_PRIVATE_KEY_POLYGON',
    ],
    [
      'an example payee of one network',
      { NETWORKS: 'polygon', RPC_URL_POLYGON: 'https://p.example', PAY_TO_POLYGON: `0x${'0'.repeat(36)}dead` },
      'PAY_TO_POLYGON',
    ],
    ['no public URL', { PUBLIC_URL: '' }, 'PUBLIC_URL'],
    ['the token as the payee', { PAY_TO: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913' }, 'PAY_TO'],
    ['a batch contract that burns', { BATCH_CONTRACT: `0x${'0'.repeat(39)}1` }, 'BATCH_CONTRACT'],
  ])('%s is refused by name', (_what, wrong, name) => {
    expect(namesOf(faultsOf({ ...good, ...wrong }))).toEqual([name]);
  });

  it('a settler that is also the payee is refused, of whichever network, and whichever is the older key', () => {
    const settlerKey = '0x4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d';
    const account = '0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1';
    const text = 'is the key of PAY_TO: pay to a wallet whose key is on no server';
    expect(faultsOf({ ...good, SETTLER_PRIVATE_KEY: settlerKey, PAY_TO: account })).toEqual([
      `SETTLER_PRIVATE_KEY ${text}`,
    ]);
    expect(faultsOf({ ...good, SETTLER_PREVIOUS_KEYS: settlerKey, PAY_TO: account.toLowerCase() })).toEqual([
      `SETTLER_PREVIOUS_KEYS ${text}`,
    ]);
    const further = { NETWORKS: 'polygon', RPC_URL_POLYGON: 'https://p.example', PAY_TO_POLYGON: account };
    expect(faultsOf({ ...good, ...further, SETTLER_PRIVATE_KEY: settlerKey })).toEqual([
      'SETTLER_PRIVATE_KEY is the key of PAY_TO_POLYGON: pay to a wallet whose key is on no server',
    ]);
    expect(faultsOf({ ...good, NETWORK: 'base-sepolia', SETTLER_PRIVATE_KEY: settlerKey, PAY_TO: account })).toEqual(
      [],
    );
  });

  it('a file of a secret that others may read or change is refused, with what to do, and only here', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-production-'));
    const path = join(folder, 'settler');
    writeFileSync(path, good.SETTLER_PRIVATE_KEY);
    const { SETTLER_PRIVATE_KEY: _, ...rest } = good;
    const env = { ...rest, SETTLER_PRIVATE_KEY_FILE: path };
    for (const mode of [0o644, 0o604, 0o602, 0o620]) {
      chmodSync(path, mode);
      expect(faultsOf(env)).toEqual([
        expect.stringMatching(/^SETTLER_PRIVATE_KEY_FILE names a file that others.*chmod 0400.*defaultMode: 0400/),
      ]);
      expect(faultsOf({ ...env, NETWORK: 'base-sepolia' })).toEqual([]);
    }
    for (const mode of [0o400, 0o600, 0o440]) {
      chmodSync(path, mode);
      expect(faultsOf(env)).toEqual([]);
      const ofOne = { ...good, NETWORKS: 'polygon', RPC_URL_POLYGON: 'https://p.example' };
      expect(
        readGateConfig({}, { ...ofOne, SETTLER_PRIVATE_KEY_POLYGON_FILE: path }).networks.map(
          ({ settlerKey }) => settlerKey,
        ),
      ).toEqual([good.SETTLER_PRIVATE_KEY, good.SETTLER_PRIVATE_KEY]);
    }
    rmSync(folder, { recursive: true });
  });

  it('all of it is told at once, with the faults that are faults everywhere', () => {
    const wrong = { ...good, PUBLIC_URL: '', RPC_URL: '', PAY_TO: `0x${'dead'.repeat(10)}`, MAX_TIMEOUT_SECONDS: '20' };
    expect(namesOf(faultsOf(wrong))).toEqual(['MAX_TIMEOUT_SECONDS', 'PAY_TO', 'PUBLIC_URL', 'RPC_URL']);
  });
});

it.each([
  `0x${'0'.repeat(40)}`,
  '0x000000000000000000000000000000000000dEaD',
  `0xdead${'0'.repeat(36)}`,
  `0x${'dead'.repeat(10)}`,
  `0x${'deadbeef'.repeat(5)}`,
  `0x${'1'.repeat(40)}`,
  `0x${'f'.repeat(40)}`,
  `0x${'0'.repeat(39)}1`,
  `0x${'0'.repeat(38)}0a`,
  `0x${'0'.repeat(37)}100`,
])('%s is an address that burns', (address) => expect(isBurnAddress(address)).toBe(true));

it('a wallet of random bytes does not burn', () => {
  for (let turn = 0; turn < 200; turn += 1) expect(isBurnAddress(`0x${randomBytes(20).toString('hex')}`)).toBe(false);
});

function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readGateConfig({}, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults;
    throw error;
  }
}

function namesOf(faults: readonly string[]): readonly string[] {
  return faults.map((fault) => fault.split(' ')[0] ?? '').toSorted();
}
