import { readFileSync } from 'node:fs';
import { exitCodes } from './exit-code.js';
import { Failure } from './failure.js';

/** A setting from the environment, or from the file that `NAME_FILE` names; undefined where neither is set. */
function readSetting(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  const path = env[`${name}_FILE`];
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new Failure(exitCodes.usage, `${name}_FILE names a file that cannot be read`);
  }
}

/** The operator's token. It is no option: arguments of a program are read by everybody on its machine. */
export function readToken(env: NodeJS.ProcessEnv): string {
  const token = readSetting(env, 'KEYFARE_OPERATOR_TOKEN');
  if (token === undefined) {
    throw new Failure(exitCodes.usage, 'no operator token', {
      lines: ['Set KEYFARE_OPERATOR_TOKEN, or KEYFARE_OPERATOR_TOKEN_FILE to a file that has it (docs/operators.md).'],
    });
  }
  if (!/^[\x21-\x7e]{1,512}$/.test(token)) {
    throw new Failure(exitCodes.usage, 'KEYFARE_OPERATOR_TOKEN is no token: it has blanks or other odd characters');
  }
  return token;
}

/** The URL of a service, from its option or its setting, without a slash at its end. */
export function readUrl(given: string | undefined, env: NodeJS.ProcessEnv, name: string): URL {
  const text = given ?? readSetting(env, name);
  const option = `--${name.replace('KEYFARE_', '').toLowerCase().replace('_', '-')}`;
  if (text === undefined) throw new Failure(exitCodes.usage, `no URL: set ${name}, or ${option}`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash) {
    throw new Failure(exitCodes.usage, `${given === undefined ? name : option} must be an http or https URL`);
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** Whether what is sent there leaves the machine unencrypted. */
export function isInTheClear({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && !/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}
