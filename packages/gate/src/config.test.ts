import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, readGateConfig } from './config.js';

const { privateKey } = generateKeyPairSync('ed25519');
const good = {
  PAY_TO: `0x${'Ab'.repeat(20)}`,
  DATABASE_URL: 'postgres://u:p@localhost/db',
  RPC_URL: 'http://localhost:8545',
  SETTLER_PRIVATE_KEY: `0x${'11'.repeat(32)}`,
  RECEIPT_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  API_KEY_PEPPERS: `new:${'A'.repeat(43)}, old:${'B'.repeat(43)}`,
};

describe('the configuration', () => {
  it('is read from the environment, and from options before it', () => {
    const config = readGateConfig({ payTo: `0x${'cd'.repeat(20)}`, network: 'base' }, good);
    expect(config.payTo).toBe(`0x${'cd'.repeat(20)}`);
    expect(config.network.caip2).toBe('eip155:8453');
    expect(config.peppers.current).toBe('new');
    expect([...config.peppers.keys.keys()]).toEqual(['new', 'old']);
    expect(config.migrationDatabaseUrl).toBe(config.databaseUrl);
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

  it('takes an empty value for an absent one', () => {
    expect(() => readGateConfig({}, { ...good, RPC_URL: '' })).toThrow('RPC_URL is missing');
  });

  it('reads a secret from the file that its name with _FILE says', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-config-'));
    const path = join(folder, 'settler');
    writeFileSync(path, `0x${'22'.repeat(32)}\n`);
    const { SETTLER_PRIVATE_KEY: _, ...rest } = good;
    expect(readGateConfig({}, { ...rest, SETTLER_PRIVATE_KEY_FILE: path }).settlerKey).toBe(`0x${'22'.repeat(32)}`);
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
