import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerEnvironment, readEnvExample } from '@keyfare/fixtures/compose';
import { ConfigurationError } from '@keyfare/gate/server';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { billingEnvironment, readBillingConfig } from './config.js';

const example = readEnvExample();
const env = {
  DATABASE_URL: 'postgres://billing:secret@db/keyfare',
  API_JWKS_URL: 'http://api:3000/.well-known/jwks.json',
  RPC_URL: 'http://chain:8545',
  PAY_TO: '0x000000000000000000000000000000000000dEaD',
};

describe('the configuration', () => {
  it('needs four settings, and spells addresses in lower case', () => {
    expect(readBillingConfig(env)).toMatchObject({
      payTo: '0x000000000000000000000000000000000000dead',
      network: { caip2: 'eip155:84532' },
      feedDatabaseUrl: env.DATABASE_URL,
      migrationDatabaseUrl: env.DATABASE_URL,
      intakeIntervalMs: 500,
      chainIntervalMs: 1_000,
      chainStartBlock: 0n,
      chainConfirmations: null,
      reconcileGraceSeconds: 60,
      fourEyesAbove: 100_000_000n,
      closeBreakLimit: 0n,
      chainMayLoseBlocks: false,
      stalledAfterMs: 300_000,
    });
  });

  it('takes further payees with commas between them, each once, in lower case and without the payee itself', () => {
    const [one, two] = [`0x${'b'.repeat(40)}`, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'];
    const { furtherPayees } = readBillingConfig({ ...env, FURTHER_PAYEES: `${one}, ${two},${two},${env.PAY_TO}` });
    expect(furtherPayees).toEqual([one, two.toLowerCase()]);
    expect(readBillingConfig({ ...env, FURTHER_PAYEES: '' }).furtherPayees).toEqual([]);
  });

  it('tells all its faults at once, by name, and never a value', () => {
    const wrong = {
      ...env,
      DATABASE_URL: 'mysql://secret',
      OPERATOR_TOKEN: 'short-secret',
      PAY_TO: 'me',
      CHAIN_START_BLOCK: '-1',
      FURTHER_PAYEES: `0x${'a'.repeat(40)}, 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee`,
      RPC_URL: '',
    };
    const faults = faultsOf(wrong);
    expect(faults.map((fault) => fault.split(' ')[0] ?? '').toSorted((a, b) => a.localeCompare(b))).toEqual([
      'CHAIN_START_BLOCK',
      'DATABASE_URL',
      'FURTHER_PAYEES',
      'OPERATOR_TOKEN',
      'PAY_TO',
      'RPC_URL',
    ]);
    expect(faults.join()).not.toMatch(/secret|short/);
  });

  it('starts with the settings of .env.example, and .env.example names every setting', () => {
    expect(readBillingConfig(example).chainConfirmations).toBeNull();
    expect(Object.keys(billingEnvironment.shape).filter((name) => !(name in example))).toEqual([]);
  });

  it('is good in docker-compose.yml, where 127.0.0.1 would be nobody else', () => {
    const inside = containerEnvironment('billing');
    expect(() => readBillingConfig(inside)).not.toThrow();
    // CONSOLE_URL alone is spoken by a browser of the host, not from inside the container.
    const settings = Object.keys(billingEnvironment.shape).filter((name) => name !== 'CONSOLE_URL');
    expect(settings.filter((name) => /127\.0\.0\.1|localhost/.test(inside[name] ?? ''))).toEqual([]);
  });

  it('in production refuses the secrets and the address of .env.example, each by name, and needs no public URL', () => {
    const secret = 'q7Vd-1zXc0Lk_93mNbUy5TgRf2WsEa8Ji';
    const live = { ...env, NETWORK: 'base', PAY_TO: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' };
    const good = { ...live, DATABASE_URL: `postgres://billing:${secret}@db/keyfare` };
    expect(readBillingConfig(good).network.name).toBe('base');
    expect(namesOf({ ...good, ...example, NETWORK: 'base' })).toEqual(
      expect.arrayContaining(['DATABASE_URL', 'FEED_DATABASE_URL', 'MIGRATION_DATABASE_URL', 'PAY_TO']),
    );
    expect(namesOf({ ...good, WATCH_TOKEN: 'x'.repeat(32) })).toEqual(['WATCH_TOKEN']);
  });

  it('refuses to look at the log or the chain more seldom than they may stand still', () => {
    expect(namesOf({ ...env, STALLED_AFTER_SECONDS: '10', CHAIN_INTERVAL_MS: '10000' })).toEqual(['CHAIN_INTERVAL_MS']);
  });

  it('reads secrets from files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfare-config-'));
    const { DATABASE_URL: url, ...rest } = env;
    writeFileSync(join(folder, 'url'), `${url}\n`);
    expect(readBillingConfig({ ...rest, DATABASE_URL_FILE: join(folder, 'url') }).databaseUrl).toBe(url);
    rmSync(folder, { recursive: true });
  });
});

function faultsOf(given: NodeJS.ProcessEnv): readonly string[] {
  try {
    readBillingConfig(given);
    return [];
  } catch (error) {
    return error instanceof ConfigurationError ? error.faults : [String(error)];
  }
}

function namesOf(given: NodeJS.ProcessEnv): readonly string[] {
  return faultsOf(given).map((fault) => fault.split(' ')[0] ?? '');
}
