import { accessSync, constants, readFileSync } from 'node:fs';
import type { z } from 'zod';
import { namesOf, secretSettings } from './production-config.js';
import { ConfigurationError } from './setting.js';

/**
 * The environment with the contents of `NAME_FILE` files in the place of `NAME`, as container platforms mount secrets:
 * of every setting that may hold one, and of those of single networks. A file that cannot be read leaves its setting
 * absent; `parseEnvironment` tells it with all other faults.
 */
export function withSecretFiles(env: NodeJS.ProcessEnv, names: readonly string[] = secretSettings): NodeJS.ProcessEnv {
  const given = present(env);
  const read = namesOf(names).flatMap((name) => {
    const path = given[`${name}_FILE`];
    if (path === undefined || given[name] !== undefined) return [];
    try {
      return [[name, readFileSync(path, 'utf8').trim()] as const];
    } catch {
      return [];
    }
  });
  return { ...env, ...Object.fromEntries(read) };
}

/** Empty values count as absent: an `.env` file cannot say it otherwise. */
export function present(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
}

/** Parses an environment. Throws a `ConfigurationError` that names every fault. */
export function parseEnvironment<T extends z.ZodType & { readonly shape: object }>(
  schema: T,
  env: NodeJS.ProcessEnv,
): z.infer<T> {
  const given = present(env);
  const unread = Object.keys(schema.shape).filter(
    (name) => given[name] === undefined && given[`${name}_FILE`] !== undefined,
  );
  const parsed = schema.safeParse(given);
  if (parsed.success && unread.length === 0) return parsed.data;
  const faults = (parsed.error?.issues ?? []).map((issue) => ({
    name: issue.path.join('.'),
    text: faultOf(issue, given),
  }));
  throw new ConfigurationError([
    ...unread.map((name) => `${name}_FILE ${fileFault(given[`${name}_FILE`] ?? '')}`),
    ...faults.filter(({ name }) => !unread.includes(name)).map(({ name, text }) => `${name} ${text}`),
  ]);
}

function fileFault(path: string): string {
  try {
    accessSync(path, constants.R_OK);
    return 'names an empty file, or this setting is not taken from one';
  } catch {
    return 'names a file that cannot be read';
  }
}

/** Says what a setting must be, and never what it is. */
function faultOf(issue: z.core.$ZodIssue, given: NodeJS.ProcessEnv): string {
  if (given[issue.path.join('.')] === undefined) return 'is missing';
  if (issue.code !== 'invalid_type') return issue.message;
  return issue.expected === 'int' ? 'must be a whole number' : `must be a ${issue.expected}`;
}

/** What `read` returns; undefined where it threw a `ConfigurationError`, whose faults are added to `faults`. */
export function attempt<T>(read: () => T, faults: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    faults.push(...error.faults);
    return undefined;
  }
}
