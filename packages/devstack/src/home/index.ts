import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProcessIdentity } from '../identity.js';
import { type Lock, tryLock } from '../lock.js';
import { choosePort } from '../ports.js';
import { makeHome, makePrivate, placePostgres } from './layout.js';
import { readPorts, writePort } from './ports-file.js';
import { ensureSecret, openSecrets, randomToken, type Secrets, secretPath } from './secrets.js';

export { ensureSecret, type Secrets } from './secrets.js';

/** Another start holds this home. */
export class HomeLocked extends Error {
  override readonly name = 'HomeLocked';

  constructor(
    readonly path: string,
    readonly holder: ProcessIdentity,
  ) {
    super(`${path} is in use by process ${String(holder.pid)}; stop it, or set KEYFARE_HOME to another directory`);
  }
}

/** Everything that one start of the stack keeps on disk. */
export interface Home {
  readonly path: string;
  readonly secrets: Secrets;
  /** The data directory of PostgreSQL. */
  readonly postgresDir: string;
  /** The local chain's state file. */
  readonly chainStatePath: string;
  /** Records of the processes started from here: see `endOrphans`. */
  readonly runDir: string;
  readonly logDir: string;
  /** The file that holds a secret. */
  secretPath(name: keyof Secrets): string;
  /** A free port for the named server: the one it had last time, else `preferred`, else any; and remembers it. */
  choosePort(name: string, preferred?: number): Promise<number>;
  /** Remembers the port that the named server has, when it was not chosen here: an adopted server's. */
  rememberPort(name: string, port: number): void;
  /** Lets the next start have the home. */
  release(): void;
}

/** KEYFARE_HOME, or `.keyfare` in the checkout. */
export function defaultHomePath(): string {
  const set = process.env['KEYFARE_HOME'];
  if (set !== undefined && set !== '') return resolve(set);
  return fileURLToPath(new URL('../../../../../.keyfare', import.meta.url));
}

/**
 * Opens a home, making what is missing, and holds it until `release` or the end of this process: a second start with
 * the same home throws `HomeLocked`. A lock whose holder died is taken over. Secrets that it has not yet are those of
 * `given`, or else random.
 */
export function openHome(path: string = defaultHomePath(), given: Partial<Secrets> = {}): Home {
  makeHome(path);
  const attempt = tryLock(join(path, 'lock'));
  if ('holder' in attempt) throw new HomeLocked(path, attempt.holder);
  try {
    return open(path, attempt, given);
  } catch (error) {
    attempt.release();
    throw error;
  }
}

/** What many processes use together in one home, as tests do. */
export interface SharedHome {
  readonly path: string;
  readonly postgresDir: string;
  readonly postgresPassword: string;
  readonly runDir: string;
}

/** Opens a home for use by any number of processes at once, making what is missing; nothing is locked. */
export function openSharedHome(path: string): SharedHome {
  makeHome(path);
  const secretsDir = makePrivate(join(path, 'secrets'));
  return {
    path,
    postgresDir: placePostgres(path),
    postgresPassword: ensureSecret(secretPath(secretsDir, 'postgresPassword'), randomToken),
    runDir: makePrivate(join(path, 'run')),
  };
}

function open(path: string, lock: Lock, given: Partial<Secrets>): Home {
  const secretsDir = makePrivate(join(path, 'secrets'));
  const portsFile = join(path, 'ports.json');
  return {
    path,
    secrets: openSecrets(secretsDir, given),
    postgresDir: placePostgres(path),
    chainStatePath: join(makePrivate(join(path, 'chain')), 'state.json'),
    runDir: makePrivate(join(path, 'run')),
    logDir: makePrivate(join(path, 'logs')),
    secretPath: (name) => secretPath(secretsDir, name),
    choosePort: async (name, preferred) => {
      const port = await choosePort(readPorts(portsFile)[name] ?? preferred);
      writePort(portsFile, name, port);
      return port;
    },
    rememberPort: (name, port) => writePort(portsFile, name, port),
    release: () => lock.release(),
  };
}
