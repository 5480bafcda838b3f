import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { draftPath, removeDrafts } from '@keyfare/devstack/drafts';
import { waitForLock } from '@keyfare/devstack/lock';
import { type Browser, chromium } from 'playwright-core';
import { openTestHome } from './home.js';

/**
 * A headless Chromium from npm; close it when done. Works without a network, as root and as anybody else, and does not
 * touch a browser that the machine may have.
 */
export async function openBrowser(): Promise<Browser> {
  const directory = await prepareChromium(openTestHome().path);
  const environment = { HOME: directory, FONTCONFIG_FILE: join(directory, 'fonts.conf') };
  return await chromium.launch({
    executablePath: join(directory, 'chromium'),
    chromiumSandbox: false, // cannot work as root, nor where user namespaces are closed; the pages are our own
    env: { ...environment, ...bundledLibraries(directory, environment) },
  });
}

/**
 * The directory with the unpacked browser, made once. The package's own `executablePath` unpacks to a fixed name under
 * /tmp, where another account may have put a program of that name, and where a second process finds half a file.
 */
async function prepareChromium(cacheDir: string): Promise<string> {
  const packageDir = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..');
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string };
  const directory = join(cacheDir, `chromium-${version}`);
  if (existsSync(directory)) return directory;
  const lock = await waitForLock(`${directory}.lock`, 120_000);
  try {
    if (existsSync(directory)) return directory; // unpacked by whoever held the lock
    removeDrafts(directory);
    const draft = draftPath(directory);
    mkdirSync(draft);
    unpack(join(packageDir, 'bin'), draft);
    writeFileSync(join(draft, 'fonts.conf'), fontConfiguration(directory));
    renameSync(draft, directory);
    return directory;
  } finally {
    lock.release();
  }
}

/** In a process of its own, because the package unpacks to the temporary directory of its process. */
function unpack(archives: string, target: string): void {
  const program = fileURLToPath(new URL('./unpack-chromium.js', import.meta.url));
  const result = spawnSync(process.execPath, [program, archives], {
    env: { TMPDIR: target },
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(`Chromium could not be unpacked: ${result.stderr}`);
}

/** The package's own file names directories of a cloud's machines. */
function fontConfiguration(directory: string): string {
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(directory, 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(directory, 'font-cache')}</cachedir>
</fontconfig>
`;
}

/** The libraries that come with the package (NSS and its like), where the system's own are missing. */
function bundledLibraries(directory: string, environment: Record<string, string>): Record<string, string> {
  const alone = spawnSync(join(directory, 'chromium'), ['--version'], { env: environment, stdio: 'ignore' });
  return alone.status === 0 ? {} : { LD_LIBRARY_PATH: join(directory, 'al2023', 'lib') };
}
