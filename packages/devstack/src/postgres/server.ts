import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Account, canEnter, findServerAccount } from '../account.js';
import { draftPath, removeDrafts } from '../drafts.js';
import { isAlive, type ProcessIdentity } from '../identity.js';
import { waitForLock } from '../lock.js';
import { isPortFree, PortTaken } from '../ports.js';
import { signal } from '../signals.js';
import { prepareBinaries } from './binaries.js';
import { adminQuery, codeOf } from './client.js';
import { findPostmaster, readPostmasterFile, waitForChildren } from './postmaster.js';

/** How to run the server. */
export interface PostgresOptions {
  /** Made when missing. Its parent must exist or be makeable, and be reachable for the account that runs the server. */
  readonly dataDir: string;
  /** Of 127.0.0.1. A server that runs already keeps the port it has. */
  readonly port: number;
  /** Of the superuser `postgres`; set when the data directory is made. */
  readonly password: string;
  /** Default true. False trades the survival of a power cut for speed: for tests. */
  readonly fsync?: boolean;
  /** Default 200. */
  readonly maxConnections?: number;
  /** Where the programs of another PostgreSQL are: `/usr/lib/postgresql/15/bin`. Default: those that npm installed. */
  readonly binDir?: string;
  /** Further settings of the server, by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A server that answers. */
export interface PostgresServer {
  readonly dataDir: string;
  readonly port: number;
  /** Superuser, database `postgres`, password included. */
  readonly adminUrl: string;
  /** False when the server was running already and was adopted. */
  readonly startedHere: boolean;
}

const startTimeoutMs = 60_000;
const lockTimeoutMs = 3 * startTimeoutMs; // whoever holds the lock may be starting, after a stop

/**
 * Makes sure that the data directory's server runs, and answers how to reach it. Survives a server that runs already
 * (adopted after it proved to serve this directory with this password), a stale or reused pid, and a postmaster killed
 * a moment ago. Two callers at once: one starts it, the other adopts it. It keeps running when this process ends.
 *
 * Throws `PortTaken` when somebody else listens at the port, and an `Error` with the server's own words otherwise.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const account = findServerAccount(options.dataDir);
  const home = dirname(options.dataDir);
  mkdirSync(home, { recursive: true });
  if (!canEnter(account, home)) {
    throw new Error(`the account "${account?.name ?? ''}", which runs PostgreSQL for root, cannot enter ${home}`);
  }
  const lock = await waitForLock(`${options.dataDir}.lock`, lockTimeoutMs);
  try {
    const running = await findReadyServer(options);
    if (running !== null) return running;
    const bin = options.binDir ?? prepareBinaries({ account, cacheDir: join(home, 'postgres-bin') });
    const context = { ...options, account, bin };
    if (!existsSync(join(options.dataDir, 'PG_VERSION'))) await initialise(context);
    await launch(context);
    return await verify(options, options.port, true);
  } finally {
    lock.release();
  }
}

/** Ends the server, letting running statements be rolled back. Nothing happens when none runs. */
export async function stopPostgres({ dataDir }: Pick<PostgresServer, 'dataDir'>): Promise<void> {
  if (!existsSync(dataDir)) return;
  const lock = await waitForLock(`${dataDir}.lock`, lockTimeoutMs);
  try {
    const running = findPostmaster(dataDir);
    if (running === null) return;
    signal(running.identity, 'SIGINT'); // "fast shutdown" (PostgreSQL manual, 18.5)
    await waitForEnd(running.identity);
  } finally {
    lock.release();
  }
}

/** Whether the data directory's server runs, ready or not. */
export function isPostgresRunning({ dataDir }: Pick<PostgresServer, 'dataDir'>): boolean {
  return existsSync(dataDir) && findPostmaster(dataDir) !== null;
}

/** Stops and starts. */
export async function restartPostgres(options: PostgresOptions): Promise<PostgresServer> {
  await stopPostgres(options);
  return await startPostgres(options);
}

/** Kills the postmaster with SIGKILL, as a crash would, and returns when it is gone; its children may still be. */
export async function killPostgres({ dataDir }: Pick<PostgresServer, 'dataDir'>): Promise<void> {
  const running = findPostmaster(dataDir);
  if (running === null) return;
  signal(running.identity, 'SIGKILL');
  await waitForEnd(running.identity);
}

async function waitForEnd(postmaster: ProcessIdentity): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (isAlive(postmaster)) {
    if (performance.now() > deadline) throw new Error(`PostgreSQL (${String(postmaster.pid)}) does not end`);
    await delay(5);
  }
}

type Context = PostgresOptions & { readonly account: Account | null; readonly bin: string };

/** A postmaster that is starting or recovering is waited for: a second one could not start beside it. */
async function findReadyServer(options: PostgresOptions): Promise<PostgresServer | null> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const running = existsSync(options.dataDir) ? findPostmaster(options.dataDir) : null;
    if (running === null) return null;
    if (running.status === 'ready') return await verify(options, running.port, false);
    if (running.status === 'stopping') await delay(20);
    if (performance.now() > deadline) throw new Error(`PostgreSQL in ${options.dataDir} does not get ready`);
    await delay(20);
  }
}

/** Who answers at the port must know our password and serve our directory: any other server is a stranger's. */
async function verify(options: PostgresOptions, port: number, startedHere: boolean): Promise<PostgresServer> {
  const { dataDir, password } = options;
  const adminUrl = `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${String(port)}/postgres`;
  const rows = await adminQuery<{ directory: string }>(
    adminUrl,
    `select current_setting('data_directory') as directory`,
  ).catch((error: unknown) => {
    const words =
      codeOf(error) === '28P01' ? 'was made with another password' : `does not answer at port ${String(port)}`;
    throw new Error(`the PostgreSQL in ${dataDir} ${words}`, { cause: error });
  });
  if (rows[0] === undefined || realpathSync(rows[0].directory) !== realpathSync(dataDir)) throw new PortTaken(port);
  return { dataDir, port, adminUrl, startedHere };
}

/** Under another name first: initdb killed half-way leaves no directory that looks finished. */
async function initialise(context: Context): Promise<void> {
  const { account, bin, dataDir, password } = context;
  removeDrafts(dataDir); // whose starts were killed: the lock says that none is under way
  const draft = draftPath(dataDir);
  const passwordFile = draftPath(`${dataDir}.password`);
  try {
    mkdirSync(draft);
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    for (const [path, mode] of [[draft, 0o700] as const, [passwordFile, 0o600] as const]) {
      chmodSync(path, mode);
      if (account) chownSync(path, account.uid, account.gid);
    }
    const args = ['-D', draft, '-E', 'UTF8', '--locale=C', '--no-instructions'];
    args.push('-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`);
    if (context.fsync === false) args.push('--no-sync');
    const result = await run(account, join(bin, 'initdb'), args);
    if (result.code !== 0) throw new Error(`initdb failed: ${result.output}`);
    renameSync(draft, dataDir);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(draft, { recursive: true, force: true });
  }
}

async function launch(context: Context): Promise<void> {
  const { account, bin, dataDir, port } = context;
  const log = join(dataDir, 'server.log');
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: String(context.maxConnections ?? 200),
    ...(context.fsync === false && { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
    ...context.settings,
  };
  const flags = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    await clearStaleFile(dataDir);
    if (!(await isPortFree(port))) throw new PortTaken(port);
    if (existsSync(log)) renameSync(log, `${log}.1`);
    const start = ['start', '-w', '-t', '60', '-D', dataDir, '-l', log, '-o', flags.join(' ')];
    const result = await run(account, join(bin, 'pg_ctl'), start);
    if (result.code === 0) return;
    const words = existsSync(log) ? readFileSync(log, 'utf8') : result.output;
    if (/could not bind .*: Address already in use/.test(words)) throw new PortTaken(port);
    // Children of a postmaster killed a moment ago: they notice its death and let go of the shared memory by
    // themselves.
    const passing = /pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(words);
    if (!passing || performance.now() > deadline) throw new Error(`PostgreSQL did not start: ${words.slice(-2000)}`);
    await delay(50);
  }
}

/**
 * A pid file that was cut short, or whose pid runs something else now (it was reused, or is a zombie that nobody
 * collects), stops the server for ever, because it only asks whether the pid exists. The file also guards the shared
 * memory, so it goes only when no process works in the directory any more; one whose pid is gone is the server's to
 * judge.
 */
async function clearStaleFile(dataDir: string): Promise<void> {
  const path = join(dataDir, 'postmaster.pid');
  if (!existsSync(path) || findPostmaster(dataDir) !== null) return;
  const file = readPostmasterFile(dataDir);
  if (file !== null && !doesPidExist(file.pid)) return;
  await waitForChildren(dataDir, startTimeoutMs);
  rmSync(path, { force: true });
}

/** As the server asks: a zombie exists, and so does a process that we may not signal. */
function doesPidExist(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** The server that pg_ctl leaves behind holds our pipes, so this waits for the program's exit, not for their end. */
async function run(account: Account | null, program: string, args: readonly string[]): Promise<Finished> {
  return await new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: '/', // ours may be closed to the account
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('exit', (code) => {
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, output });
    });
  });
}
