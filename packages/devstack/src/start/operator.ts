import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../drafts.js';
import type { Home } from '../home/index.js';
import { type Operated, operate } from './client.js';

const dayMs = 86_400_000;
const lifeDays = 360;
/** A token that is nearly over is replaced while the home is started now and then. */
const renewBeforeDays = 60;

interface Issued {
  readonly token: string;
  readonly expiresAt: string;
}

/**
 * The operator of both programs of this home, kept with the other secrets. The first is made with a bootstrap token
 * that the API was started with this time and that nobody else knows: whatever a start that broke off left behind, the
 * next one has a new one.
 */
export async function ensureOperator(
  home: Home,
  { api, bootstrapToken }: { readonly api: string; readonly bootstrapToken: string },
): Promise<string> {
  const path = join(home.path, 'secrets', 'operator.json');
  const known = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Issued) : undefined;
  const leftMs = known === undefined ? 0 : Date.parse(known.expiresAt) - Date.now();
  if (known !== undefined && leftMs > renewBeforeDays * dayMs) return known.token;
  const now = new Date();
  const expiresAt = new Date(now.getTime() + lifeDays * dayMs).toISOString();
  const body = { name: `owner since ${now.toISOString()}`, role: 'admin', expiresAt };
  const { token } = await operate<{ token: string }>({ url: api, token: bootstrapToken }, '/admin/operators', { body });
  replaceFile(path, JSON.stringify({ token, expiresAt } satisfies Issued));
  return token;
}

/** An address that signs the owner in to the console, once and within a quarter of an hour. */
export async function consoleAddress(api: Operated, billing: string): Promise<string> {
  const { id } = await operate<{ id: string }>(api, '/admin/operators/self');
  const { link } = await operate<{ link: string }>(api, `/admin/operators/${id}/link`, { body: {} });
  return `${billing}/console/enter#${link}`;
}
