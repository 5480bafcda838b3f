import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { World } from './world.js';

const script = fileURLToPath(new URL('../../../../scripts/prove-books.mjs', import.meta.url));

/** What the independent check found. */
export interface Proof {
  readonly status: number | null;
  readonly figures: number;
  readonly differences: readonly { readonly figure: string; readonly expected: string; readonly books: string }[];
}

/** Runs `scripts/prove-books.mjs` as a person does, with the environment of the books and `env`. */
export async function proveBooks(world: World, env: Readonly<Record<string, string>> = {}): Promise<Proof> {
  const child = spawn(process.execPath, [script, '--json'], {
    env: { PATH: process.env['PATH'] ?? '', ...world.env, DATABASE_URL: world.database.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => void out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => void err.push(chunk));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0 && status !== 1) throw new Error(Buffer.concat(err).toString());
  return { status, ...(JSON.parse(Buffer.concat(out).toString()) as Omit<Proof, 'status'>) };
}
