import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { exitCodes } from './exit-code.js';
import { Failure } from './failure.js';

/** Whether billing's program can be run here: it is an app, and no package imports one. */
export function isBillingHere(): boolean {
  return findProgram() !== undefined;
}

/**
 * Runs billing's own command for its migrations, with billing's environment, and answers the names of those that it
 * ran, or with `isTrial` would run. A `Failure` with its words where it failed.
 */
export async function runBillingMigrations(
  env: NodeJS.ProcessEnv,
  { isTrial }: { readonly isTrial: boolean },
): Promise<{ readonly names: readonly string[] }> {
  const args = [findProgram() ?? '', ...(isTrial ? ['--dry-run'] : [])];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? 1));
  });
  const [code, answer, words] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code === 0) return JSON.parse(answer) as { names: readonly string[] };
  const [title = '', ...lines] = words
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const known = Object.values(exitCodes).find((one) => one === code) ?? exitCodes.finding;
  throw new Failure(known, title === '' ? 'billing was not migrated' : title, { lines });
}

/** Beside this program, or from the current folder. */
function findProgram(): string | undefined {
  for (const from of [import.meta.url, `${process.cwd()}/package.json`]) {
    try {
      return createRequire(from).resolve('@keyfare/billing/migrate');
    } catch {
      // Looked for in the next place.
    }
  }
  return undefined;
}
