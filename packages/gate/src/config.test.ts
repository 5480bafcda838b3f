import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { ConfigurationError, readGateConfig } from './config.js';

const { privateKey } = generateKeyPairSync('ed25519');
const good = {
  PAY_TO: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  DATABASE_URL: 'postgres://u:p@localhost/db',
  RPC_URL: 'http://localhost:8545',
  SETTLER_PRIVATE_KEY: `0x${randomBytes(32).toString('hex')}`,
  RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  API_KEY_PEPPERS: `new:${randomBytes(32).toString('base64url')}, old:${randomBytes(32).toString('base64url')}`,
  PUBLIC_URL: 'https://api.example',
};

describe('the configuration', () => {
  it('is read from the environment, and from options before it', () => {
    const config = readGateConfig({ payTo: `0x${'cd'.repeat(20)}`, network: 'base' }, good);
    expect(config.payTo).toBe(`0x${'cd'.repeat(20)}`);
    expect(config.network.caip2).toBe('eip155:8453');
    expect(config.peppers.current).toBe('new');
    expect([...config.peppers.keys.keys()]).toEqual(['new', 'old']);
    expect(config.migrations).toEqual({ url: good.DATABASE_URL });
    expect(readGateConfig({}, good).payTo).toBe(good.PAY_TO.toLowerCase());
  });

  it('tells all faults together, by name, and none of the values', () => {
    const bad = {
      ...good,
      PAY_TO: 'nobody',
      RPC_URL: undefined,
      NETWORK: 'moon',
      API_KEY_PEPPERS: 'short:abc',
      RECEIPT_SIGNING_KEY: 'secret-pem',
    };
    const { faults, message } = failure(() => readGateConfig({}, bad));
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
      'PAY_TO',
      'NETWORK',
      'RPC_URL',
      'RECEIPT_SIGNING_KEY',
      'API_KEY_PEPPERS',
    ]);
    expect(message).not.toMatch(/secret-pem|nobody|abc/);
  });

  it.each([
    'postgres://u:secret@host:port/db',
    'postgres://u:100%secret@host/db',
    'postgres://u:secret@host/db%',
    'postgres://%:secret@host/db',
    'mysql://u:secret@host/db',
  ])('refuses a database URL that the driver cannot read, and does not repeat it: %s', (url) => {
    const { faults } = failure(() => readGateConfig({}, { ...good, DATABASE_URL: url }));
    expect(faults).toEqual([expect.stringMatching(/^DATABASE_URL must be a postgres:\/\/ URL/)]);
    expect(faults.join()).not.toContain('secret');
  });

  it.each([
    'postgresql://u:p%25w@[::1]:5432/my%20db?sslmode=require',
    'postgres://u@%2Fvar%2Frun%2Fpostgresql/db',
    'postgres:///db?host=/var/run/postgresql',
  ])('takes a database URL as the driver does: %s', (url) => {
    expect(readGateConfig({}, { ...good, DATABASE_URL: url }).migrations).toEqual({ url });
  });

  it('shows none of its secrets to a logger or an inspector, as a whole or in part', () => {
    const config = readGateConfig({}, { ...good, DATABASE_URL: 'postgres://u:hidden-password@localhost/db' });
    const { host, ...parts } = { host: { config }, networks: config.networks, config };
    for (const shown of [host, ...Object.values(parts)]) {
      const texts = [
        JSON.stringify(shown),
        inspect(shown, { depth: 9, showHidden: true }),
        format('%o %j', shown, shown),
      ];
      for (const text of texts) {
        expect(text).not.toContain('hidden-password');
        expect(text).not.toContain(good.SETTLER_PRIVATE_KEY.slice(2));
      }
    }
    expect(config.networks[0]?.settlerKey).toBe(good.SETTLER_PRIVATE_KEY);
  });

  it('takes several networks, each with settings of its own, and tells the faults of all of them at once', () => {
    const two = { ...good, NETWORKS: 'base', RPC_URL_BASE: 'https://node.example', CONFIRMATIONS_BASE: '20' };
    const [first, second] = readGateConfig({}, two).networks;
    expect([first?.network.name, first?.confirmations, first?.maxCostPercent]).toEqual(['base-sepolia', 2, 0n]);
    expect([second?.network.name, second?.confirmations, second?.maxCostPercent]).toEqual(['base', 20, 100n]);
    expect(second?.payTo).toBe(good.PAY_TO.toLowerCase());
    const bad = { ...good, NETWORKS: 'base, moon', PAY_TO_BASE: 'nobody', MAX_TIMEOUT_SECONDS: '30' };
    expect(failure(() => readGateConfig({}, bad)).faults).toEqual([
      'NETWORKS names "moon", on which no payments are taken',
      'PAY_TO_BASE must be an address: 0x and 40 hex digits',
      'RPC_URL_BASE is missing',
      'MAX_TIMEOUT_SECONDS must be at least 66: HANDLER_TIMEOUT_MS, SETTLE_TIMEOUT_MS and a margin',
    ]);
  });

  it('takes an empty value for an absent one', () => {
    expect(() => readGateConfig({}, { ...good, RPC_URL: '' })).toThrow('RPC_URL is missing');
  });

  it.each([
    ['a number that is none', { HANDLER_TIMEOUT_MS: 'abc' }, 'HANDLER_TIMEOUT_MS must be a number'],
    [
      'a file that is not there',
      { DATABASE_URL: '', DATABASE_URL_FILE: '/none' },
      'DATABASE_URL_FILE names a file that cannot be read',
    ],
    [
      'a file for a setting with a default',
      { MIGRATION_DATABASE_URL_FILE: '/none' },
      'MIGRATION_DATABASE_URL_FILE names a file that cannot be read',
    ],
    [
      'a private key of zero',
      { SETTLER_PRIVATE_KEY: `0x${'0'.repeat(64)}` },
      'SETTLER_PRIVATE_KEY must be a private key: over zero, under the order of secp256k1',
    ],
    [
      'a private key beyond the curve',
      { SETTLER_PRIVATE_KEY: `0x${'f'.repeat(64)}` },
      'SETTLER_PRIVATE_KEY must be a private key: over zero, under the order of secp256k1',
    ],
    [
      'a private key that is none',
      { SETTLER_PRIVATE_KEY: '0xsecret' },
      'SETTLER_PRIVATE_KEY must be a private key: 0x and 64 hex digits',
    ],
    [
      'the zero address',
      { PAY_TO: `0x${'0'.repeat(40)}` },
      'PAY_TO must not be the zero address: what is paid to it is lost',
    ],
    [
      'an address with one wrong character',
      { PAY_TO: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee' },
      'PAY_TO has a wrong checksum (EIP-55): copy the address again from where it came from',
    ],
    [
      'an address with a letter of the wrong case',
      { PAY_TO: '0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' },
      'PAY_TO has a wrong checksum (EIP-55): copy the address again from where it came from',
    ],
    [
      'a batch contract with a wrong checksum',
      { BATCH_CONTRACT: '0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' },
      'BATCH_CONTRACT has a wrong checksum (EIP-55): copy the address again from where it came from',
    ],
    [
      'a retiring pepper that is the current one',
      { RETIRING_PEPPERS: 'old,new' },
      'RETIRING_PEPPERS must name peppers of API_KEY_PEPPERS behind the first one',
    ],
    [
      'a retiring pepper that is unknown',
      { RETIRING_PEPPERS: 'older' },
      'RETIRING_PEPPERS must name peppers of API_KEY_PEPPERS behind the first one',
    ],
    [
      'previous settler keys of which one is none',
      { SETTLER_PREVIOUS_KEYS: `0x${'12'.repeat(32)}, 0xsecret` },
      'SETTLER_PREVIOUS_KEYS must be private keys with commas between them: 0x and 64 hex digits each',
    ],
    [
      'a collection that begins later than payments run out',
      { DEFERRED_AGE_SECONDS: '3400' },
      'DEFERRED_AGE_SECONDS must be at most 3300: DEFERRED_TIMEOUT_SECONDS without DEFERRED_MARGIN_SECONDS',
    ],
    [
      'a collector that looks more seldom than the margin is long',
      { DEFERRED_INTERVAL_MS: '600000' },
      'DEFERRED_INTERVAL_MS must be at most 300000, DEFERRED_MARGIN_SECONDS: payments would run out between two looks',
    ],
    [
      'a public URL with a query',
      { PUBLIC_URL: 'https://api.example/v1?a=b' },
      'PUBLIC_URL must be an origin, and a path of letters, digits, -, . and _ where a proxy takes one away: no query, no login',
    ],
    [
      'a public URL with a login',
      { PUBLIC_URL: 'https://a:b@api.example' },
      'PUBLIC_URL must be an origin, and a path of letters, digits, -, . and _ where a proxy takes one away: no query, no login',
    ],
  ])('refuses %s, says what is wrong with it, and does not hide the other faults', (_what, wrong, text) => {
    const { faults } = failure(() => readGateConfig({}, { ...good, ...wrong, RPC_URL: undefined }));
    expect(faults.toSorted()).toEqual(['RPC_URL is missing', text].toSorted());
  });

  it('lets any page call, or those of the origins named, or leaves it to the host, as it does by default', () => {
    expect(readGateConfig({}, good).corsOrigins).toBeNull();
    expect(readGateConfig({}, { ...good, CORS_ORIGINS: '*' }).corsOrigins).toBe('*');
    expect(readGateConfig({ corsOrigins: '*' }, good).corsOrigins).toBe('*');
    expect(readGateConfig({}, { ...good, CORS_ORIGINS: 'none' }).corsOrigins).toBeNull();
    const origins = 'https://app.example, http://localhost:5173';
    expect(readGateConfig({}, { ...good, CORS_ORIGINS: origins }).corsOrigins).toEqual(origins.split(', '));
    for (const wrong of ['app.example', 'https://app.example/', '*,https://app.example'])
      expect(() => readGateConfig({}, { ...good, CORS_ORIGINS: wrong })).toThrow('CORS_ORIGINS must be');
  });

  it('takes a public URL with or without its last slash', () => {
    for (const url of [
      'https://api.example',
      'https://api.example/',
      'http://localhost:3000',
      'https://a.example/b/c/',
    ])
      expect(readGateConfig({}, { ...good, PUBLIC_URL: url }).publicUrl).toBe(url.replace(/\/$/, ''));
  });

  it('reads a secret from the file that its name with _FILE says', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-config-'));
    const path = join(folder, 'settler');
    writeFileSync(path, `0x${'22'.repeat(32)}\n`);
    const { SETTLER_PRIVATE_KEY: _, ...rest } = good;
    expect(readGateConfig({}, { ...rest, SETTLER_PRIVATE_KEY_FILE: path }).networks[0]?.settlerKey).toBe(
      `0x${'22'.repeat(32)}`,
    );
    rmSync(folder, { recursive: true });
  });
});

function failure(work: () => unknown): ConfigurationError {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
  }
  throw new Error('it did not fail');
}
