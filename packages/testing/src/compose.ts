import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** A service of docker-compose.yml, as far as tests look at it. */
export interface ComposeService {
  readonly user?: string;
  readonly image?: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly command?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly environment?: Readonly<Record<string, string>>;
}

/** The services of docker-compose.yml, merge keys resolved. */
export function readComposeServices(): Readonly<Record<string, ComposeService>> {
  const file = parse(readFileSync(`${root}docker-compose.yml`, 'utf8'), { merge: true }) as {
    services: Record<string, ComposeService>;
  };
  return file.services;
}

/** The settings of .env.example. */
export function readEnvExample(): Readonly<Record<string, string>> {
  return parseEnv(readFileSync(`${root}.env.example`, 'utf8')) as Record<string, string>;
}

/** What a program sees in its container when `.env` is a copy of .env.example: the file, and compose's own over it. */
export function containerEnvironment(service: string): Readonly<Record<string, string>> {
  const example = readEnvExample();
  const own = Object.entries(readComposeServices()[service]?.environment ?? {});
  return { ...example, ...Object.fromEntries(own.map(([name, value]) => [name, interpolate(value, example)])) };
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}`, as Compose replaces them. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, sign?: string, rest?: string) => {
    const value = env[name] ?? '';
    if (value === '' && sign === '?') throw new Error(`${name}: ${rest ?? ''}`);
    return value === '' && sign === '-' ? (rest ?? '') : value;
  });
}
