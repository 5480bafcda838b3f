import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { containerEnvironment, readEnvExample } from '@keyfare/fixtures/compose';
import { expect, it } from '@keyfare/jest-preset/globals';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));

/** Starts the program as it is shipped, which is to end by itself. Answers its code, and what it said is wrong. */
async function refusalOf(env: Readonly<Record<string, string>>): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, text };
}

const namesIn = (text: string): readonly string[] =>
  text
    .split('\n')
    .slice(1)
    .flatMap((line) => line.trim().split(' ')[0] ?? '')
    .filter((name) => name !== '')
    .toSorted();

it('the API with .env.example unchanged but for its URLs, on a network whose money is real, does not start and says all that is wrong', async () => {
  const url = 'postgres://keyfare_api:k3Zp-9vQ@127.0.0.1:9/keyfare';
  const urls = {
    DATABASE_URL: url,
    MIGRATION_DATABASE_URL: url,
    FEED_DATABASE_URL: url,
    RPC_URL: 'http://127.0.0.1:9',
  };
  const wrong = { NETWORK: 'base', NETWORKS: 'polygon', PUBLIC_URL: '', MAX_TIMEOUT_SECONDS: '20', PORT: 'x' };
  const { code, text } = await refusalOf({ ...readEnvExample(), ...urls, ...wrong });
  expect(code).toBe(1);
  expect(namesIn(text)).toEqual([
    'API_KEY_PEPPERS',
    'BOOTSTRAP_TOKEN',
    'KEYFARE_PASSWORD',
    'MAX_TIMEOUT_SECONDS',
    'PAY_TO',
    'PORT',
    'POSTGRES_PASSWORD',
    'PUBLIC_URL',
    'RECEIPT_SIGNING_KEY',
    'RPC_URL_POLYGON',
    'SETTLER_PRIVATE_KEY',
  ]);
  expect(text).not.toMatch(/replace-me|AAAAAAAA|000000001/);
}, 30_000);

it('the API in its container, with an unedited copy of .env.example, does not start: the image is for production', async () => {
  const { code, text } = await refusalOf({ ...containerEnvironment('api'), NODE_ENV: 'production' });
  expect(code).toBe(1);
  expect(namesIn(text)).toEqual(
    expect.arrayContaining(['BOOTSTRAP_TOKEN', 'DATABASE_URL', 'PAY_TO', 'SETTLER_PRIVATE_KEY']),
  );
}, 30_000);
