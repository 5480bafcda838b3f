import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { describeAsRoot, makeArea } from '../../test/area.js';
import { findServerAccount } from '../account.js';
import { installedBinaries, prepareBinaries } from './binaries.js';

const area = makeArea();
const account = findServerAccount(join(area.path, 'none'));
afterAll(area.remove);

/** The package as a checkout would have it that lies in a directory of mode 0700. */
function hiddenInstall(): string {
  const hidden = join(area.path, 'hidden');
  mkdirSync(hidden, { recursive: true });
  cpSync(dirname(installedBinaries()), join(hidden, 'package'), { recursive: true, verbatimSymlinks: true });
  chmodSync(hidden, 0o700);
  return join(hidden, 'package', 'native');
}

function version(bin: string): string {
  const as = account ? { uid: account.uid, gid: account.gid } : {};
  return spawnSync(join(bin, 'initdb'), ['--version'], { encoding: 'utf8', cwd: '/', ...as }).stdout;
}

describe('prepareBinaries', () => {
  it('runs the installed programs when the account can reach them, or a copy that it can reach', () => {
    const bin = prepareBinaries({ account, cacheDir: join(area.path, 'cache-any') });
    expect(version(bin)).toMatch(/^initdb \(PostgreSQL\) \d/);
  });

  it('restores the library links that an installation without scripts lacks', () => {
    const installed = hiddenInstall();
    const lib = join(installed, 'lib');
    for (const name of readdirSync(lib)) if (lstatSync(join(lib, name)).isSymbolicLink()) rmSync(join(lib, name));
    const cacheDir = join(area.path, 'cache-links');
    const bin = prepareBinaries({ account, cacheDir, installed });
    expect(bin.startsWith(cacheDir)).toBe(true);
    expect(existsSync(join(bin, '..', 'lib', 'libpq.so.5'))).toBe(true);
    expect(version(bin)).toMatch(/^initdb \(PostgreSQL\) \d/);
  });
});

describeAsRoot('prepareBinaries for root', () => {
  it('copies the programs once when they lie where only root can read', () => {
    const installed = hiddenInstall();
    const cacheDir = join(area.path, 'cache');
    mkdirSync(cacheDir);
    chmodSync(cacheDir, 0o711);
    expect(version(join(installed, 'bin'))).toBe(null); // the account cannot run it there
    const bin = prepareBinaries({ account, cacheDir, installed });
    expect(version(bin)).toMatch(/^initdb \(PostgreSQL\) \d/);
    const made = lstatSync(bin).ctimeMs;
    expect(prepareBinaries({ account, cacheDir, installed })).toBe(bin);
    expect(lstatSync(bin).ctimeMs).toBe(made);
    expect(readdirSync(cacheDir)).toHaveLength(1);
  });
});
