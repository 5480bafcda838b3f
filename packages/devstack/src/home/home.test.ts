import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { privateKeyToAddress } from 'viem/accounts';
import { describeAsRoot, isRoot, makeArea } from '../../test/area.js';
import { canEnter, findServerAccount } from '../account.js';
import { defaultHomePath, ensureSecret, HomeLocked, openHome } from './index.js';

const area = makeArea();
afterAll(area.remove);
let count = 0;
const newPath = () => join(area.path, `home-${String(++count)}`);
const mode = (path: string) => statSync(path).mode & 0o777;

describe('openHome', () => {
  it('makes every secret once, in files that only the owner can read', () => {
    const path = newPath();
    const first = openHome(path);
    first.release();
    const second = openHome(path);
    expect(second.secrets).toEqual(first.secrets);
    second.release();
    const files = readdirSync(join(path, 'secrets'));
    expect(files).toHaveLength(6);
    for (const file of files) expect(mode(join(path, 'secrets', file))).toBe(0o600);
    expect(new Set(Object.values(first.secrets)).size).toBe(6);
    const other = openHome(newPath());
    expect(Object.values(other.secrets).filter((value) => Object.values(first.secrets).includes(value))).toEqual([]);
    other.release();
  });

  it('takes secrets that are given to a new home, and keeps those that a home has', () => {
    const path = newPath();
    const first = openHome(path, { keyPepper: 'given' });
    expect(first.secrets.keyPepper).toBe('given');
    first.release();
    const second = openHome(path, { keyPepper: 'another' });
    expect(second.secrets).toEqual(first.secrets);
    second.release();
  });

  it('makes secrets of the kinds that their users need', () => {
    const home = openHome(newPath());
    const { secrets } = home;
    expect(createPrivateKey(secrets.receiptKeyPem).asymmetricKeyType).toBe('ed25519');
    expect(readFileSync(home.secretPath('receiptKeyPem'), 'utf8')).toBe(secrets.receiptKeyPem);
    expect(privateKeyToAddress(secrets.settlerKey)).not.toBe(privateKeyToAddress(secrets.payerKey));
    for (const token of [secrets.postgresPassword, secrets.keyPepper]) {
      expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    }
    home.release();
  });

  it('closes its directories, also those that it finds open', () => {
    const path = newPath();
    mkdirSync(join(path, 'secrets'), { recursive: true, mode: 0o777 });
    chmodSync(join(path, 'secrets'), 0o777);
    const home = openHome(path);
    expect(mode(path)).toBe(isRoot ? 0o711 : 0o700);
    for (const directory of [join(path, 'secrets'), home.runDir, home.logDir, dirname(home.chainStatePath)]) {
      expect(mode(directory)).toBe(0o700);
    }
    home.release();
  });

  it('refuses a second start with the same home while the first lives, and names it', () => {
    const path = newPath();
    const home = openHome(path);
    expect(() => openHome(path)).toThrow(HomeLocked);
    expect(() => openHome(path)).toThrow(`${path} is in use by process ${String(process.pid)}`);
    home.release();
    openHome(path).release();
  });

  it('takes over the home of a killed start', async () => {
    const path = newPath();
    const module = new URL('./index.js', import.meta.url).href;
    const program = `
      const { openHome } = await import(${JSON.stringify(module)});
      openHome(${JSON.stringify(path)});
      console.log('open');
      setInterval(() => {}, 1000);`;
    const start = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(start.stdout, 'data');
    expect(() => openHome(path)).toThrow(HomeLocked);
    start.kill('SIGKILL');
    await once(start, 'exit');
    openHome(path).release();
  });

  it('gives a server the port it had before, and another when that is taken', async () => {
    const path = newPath();
    const home = openHome(path);
    const port = await home.choosePort('api');
    expect(await home.choosePort('api', port + 1)).toBe(port);
    expect(await home.choosePort('billing')).not.toBe(port);
    home.rememberPort('postgres', 4321);
    home.release();
    const again = openHome(path);
    expect(await again.choosePort('api')).toBe(port);
    const stranger = createServer();
    await new Promise<void>((resolve) => void stranger.listen(port, '127.0.0.1', resolve));
    const moved = await again.choosePort('api');
    expect(moved).not.toBe(port);
    await new Promise((resolve) => void stranger.close(resolve));
    expect(JSON.parse(readFileSync(join(path, 'ports.json'), 'utf8'))).toMatchObject({ api: moved, postgres: 4321 });
    again.release();
  });

  it('opens with a damaged port file', async () => {
    const path = newPath();
    mkdirSync(path);
    for (const text of ['{"api":', '[]', 'null', '{"api":-1}', '{"api":"80"}']) {
      writeFileSync(join(path, 'ports.json'), text);
      const home = openHome(path);
      expect(await home.choosePort('api')).toBeGreaterThan(0);
      home.release();
    }
  });
});

describeAsRoot('openHome for root', () => {
  it('keeps the database where its account gets to, when the home lies under a closed one', () => {
    const closed = join(area.path, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const home = openHome(join(closed, 'home'));
    const account = findServerAccount(home.postgresDir);
    expect(home.postgresDir).toMatch(/^\/var\/lib\/keyfare\/[0-9a-f]{16}\/postgres$/);
    expect(canEnter(account, dirname(home.postgresDir))).toBe(true);
    expect(canEnter(account, home.path)).toBe(false);
    home.release();
    rmSync(dirname(home.postgresDir), { recursive: true });
  });

  it('refuses a directory that belongs to another account', () => {
    const path = newPath();
    mkdirSync(path);
    chownSync(path, 65_534, 65_534);
    expect(() => openHome(path)).toThrow('belongs to another account');
  });
});

describe('ensureSecret', () => {
  it('gives all that make one at the same time the same', async () => {
    const path = join(area.path, 'shared-secret');
    const module = new URL('./secrets.js', import.meta.url).href;
    const program = `
      const { ensureSecret } = await import(${JSON.stringify(module)});
      console.log(ensureSecret(${JSON.stringify(path)}, () => String(process.pid)));`;
    const outputs = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
        const chunks: Buffer[] = [];
        child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
        await once(child, 'close');
        return Buffer.concat(chunks).toString();
      }),
    );
    expect(new Set(outputs).size).toBe(1);
    expect(outputs[0]).toMatch(/^\d+\n$/);
  });

  it('closes a file that it finds open to others', () => {
    const path = join(area.path, 'open-secret');
    writeFileSync(path, 'known\n', { mode: 0o644 });
    expect(ensureSecret(path, () => 'new')).toBe('known');
    expect(mode(path)).toBe(0o600);
  });
});

describe('defaultHomePath', () => {
  const before = process.env['KEYFARE_HOME'];
  afterEach(() => {
    if (before === undefined) delete process.env['KEYFARE_HOME'];
    else process.env['KEYFARE_HOME'] = before;
  });

  it('is KEYFARE_HOME, else .keyfare at the root of the checkout', () => {
    delete process.env['KEYFARE_HOME'];
    expect(basename(defaultHomePath())).toBe('.keyfare');
    expect(existsSync(join(dirname(defaultHomePath()), 'turbo.json'))).toBe(true);
    process.env['KEYFARE_HOME'] = '/somewhere/else';
    expect(defaultHomePath()).toBe('/somewhere/else');
  });
});
