import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** What the API and its tests' programs are made of, in the order in which they are built. */
const workspaces = ['core', 'devstack', 'testing', 'db', 'evm', 'gate'].map((name) => `packages/${name}`);

/** The release before this one, built. */
export interface PreviousRelease {
  /** The API with a route for each flow: `flows-process.ts` of that release. */
  readonly main: string;
  remove(): void;
}

/** The commit that PREVIOUS_RELEASE names. Throws where the history of this checkout does not hold it. */
function previousCommit(): string {
  const commit = readFileSync(join(root, 'PREVIOUS_RELEASE'), 'utf8').trim();
  const found = spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root, stdio: 'ignore' });
  if (found.status !== 0) {
    throw new Error(`the history holds no ${commit}, the release before: fetch all of it (git fetch --unshallow)`);
  }
  return commit;
}

/**
 * Builds the release before from the history of this checkout, with the packages from npm that are installed here: what
 * is compared is our code, and no registry is asked.
 */
export function buildPreviousRelease(): PreviousRelease {
  const commit = previousCommit();
  const folder = mkdtempSync(join(tmpdir(), 'keyfare-previous-'));
  try {
    const archive = execFileSync(
      'git',
      ['archive', commit, 'tsconfig.base.json', 'package.json', 'packages', 'apps/api'],
      {
        cwd: root,
        maxBuffer: 256 * 1_024 * 1_024,
      },
    );
    execFileSync('tar', ['-x', '-C', folder], { input: archive });
    linkPackages(folder);
    for (const workspace of [...workspaces, 'apps/api']) build(folder, workspace);
    const main = join(folder, 'apps/api/dist/test/flows-process.js');
    return { main, remove: () => rmSync(folder, { recursive: true, force: true }) };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Every installed package is linked, and ours are those of that release. */
function linkPackages(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@keyfare'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== '@keyfare') symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  for (const name of readdirSync(join(folder, 'packages'))) {
    symlinkSync(join(folder, 'packages', name), join(modules, '@keyfare', name));
  }
  for (const workspace of [...workspaces, 'apps/api']) {
    const own = join(root, workspace, 'node_modules');
    if (existsSync(own)) cpSync(own, join(folder, workspace, 'node_modules'), { recursive: true });
  }
}

function build(folder: string, workspace: string): void {
  const tsc = join(root, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(tsc, ['-p', '.'], { cwd: join(folder, workspace), encoding: 'utf8' });
  if (status !== 0) throw new Error(`${workspace} of the release before does not build: ${stdout}`);
}
