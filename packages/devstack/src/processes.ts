import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { replaceFile } from './drafts.js';
import { identify, identifySelf, isAlive, type ProcessIdentity, parseIdentity } from './identity.js';
import { doesGroupListen } from './listeners.js';
import { isPortFree, PortTaken } from './ports.js';
import { endProcess } from './signals.js';

/** A service to start. */
export interface ServiceOptions {
  /** Names the service in messages and in its record. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** The whole environment of the service: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Answers 200 when the service is ready: an http: URL at 127.0.0.1. */
  readonly readyUrl: string;
  /** Gets the output of the service, appended. Written by the service itself, so it is whole when this process dies. */
  readonly logPath: string;
  /** Where the start is recorded: see `endOrphans`. */
  readonly runDir: string;
  /** Default 120 000. */
  readonly readyTimeoutMs?: number;
  /** Between SIGTERM and SIGKILL in `stop`; default 10 000. */
  readonly stopTimeoutMs?: number;
}

/** How a service ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A service that was ready. */
export interface Service {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the service has ended, for whatever reason. */
  readonly ended: Promise<Ending>;
  /** SIGTERM; after the bound SIGKILL, to it and all that it started. Returns how it ended. */
  stop(): Promise<Ending>;
}

/**
 * Starts a service and returns when it is ready. Throws `PortTaken`, without starting it, when somebody answers at its
 * port already; and an `Error` with the end of its log when it ends early or is not ready in time (then it is ended).
 */
export async function spawnService(options: ServiceOptions): Promise<Service> {
  const port = portOf(options.readyUrl);
  if (!(await isPortFree(port))) throw new PortTaken(port); // else a stranger's 200 would pass for ours
  const child = start(options);
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (cause) => reject(new Error(`${options.name} could not be started`, { cause })));
  });
  const started = child.pid === undefined ? null : identify(child.pid);
  if (started === null) throw await earlyEnd(options, ended);
  const record = recordProcess(options.runDir, options.name, started);
  const stop = async (): Promise<Ending> => {
    await endProcess(started, options.stopTimeoutMs ?? 10_000);
    rmSync(record, { force: true });
    return await ended;
  };
  try {
    await waitUntilReady(options, ended, started);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: options.name, pid: started.pid, ended, stop };
}

/**
 * Ends what a start that died without stopping its services left running, and returns their names. A process is ended
 * only when it is still the recorded one (pid, start time and executable) and the start that owned it is gone.
 */
export async function endOrphans(runDir: string, stopTimeoutMs = 5000): Promise<string[]> {
  const ended: string[] = [];
  for (const file of readdirSync(runDir).filter((name) => name.endsWith('.json'))) {
    const path = join(runDir, file);
    const record = readStart(path);
    if (record !== null && isAlive(record.owner)) continue;
    if (record !== null && isAlive(record.process)) {
      await endProcess(record.process, stopTimeoutMs);
      ended.push(record.name);
    }
    rmSync(path, { force: true });
  }
  return ended;
}

/** Records a process that `endOrphans` is to end should this one die first; returns the record's path. */
export function recordProcess(runDir: string, name: string, recorded: ProcessIdentity): string {
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  const path = join(runDir, `${name}-${String(recorded.pid)}.json`);
  replaceFile(path, JSON.stringify({ name, process: recorded, owner: identifySelf() }));
  return path;
}

/** In a process group of its own: a Ctrl-C in the terminal reaches only the starter, which stops it in good order. */
function start({ command, env, cwd, logPath }: ServiceOptions): ChildProcess {
  mkdirSync(dirname(logPath), { recursive: true });
  const log = openSync(logPath, 'a', 0o600);
  try {
    const [program, ...args] = command;
    return spawn(program, args, { env, cwd, detached: true, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

interface StartRecord {
  readonly name: string;
  readonly process: ProcessIdentity;
  readonly owner: ProcessIdentity;
}

function readStart(path: string): StartRecord | null {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const recorded = parseIdentity(value['process']);
    const owner = parseIdentity(value['owner']);
    return recorded && owner && { name: String(value['name']), process: recorded, owner };
  } catch {
    return null;
  }
}

async function waitUntilReady(
  options: ServiceOptions,
  ended: Promise<Ending>,
  started: ProcessIdentity,
): Promise<void> {
  const { name, readyUrl, logPath, readyTimeoutMs = 120_000 } = options;
  const deadline = performance.now() + readyTimeoutMs;
  const port = portOf(readyUrl);
  const failed = earlyEnd(options, ended);
  for (;;) {
    const result = await Promise.race([failed, isReady(readyUrl)]);
    if (result instanceof Error) throw result;
    // Somebody may have taken the port since we looked: then ours is about to fail, and this answer was not its own.
    if (result && doesGroupListen(started.pid, port) === false) throw new PortTaken(port);
    if (result) return;
    if (performance.now() > deadline) {
      throw new Error(`${name} is not ready after ${String(readyTimeoutMs)} ms${tailOf(logPath)}`);
    }
    await delay(25);
  }
}

/** A URL leaves the default port out. */
function portOf(url: string): number {
  const { port } = new URL(url);
  return port === '' ? 80 : Number(port);
}

async function earlyEnd({ name, logPath }: ServiceOptions, ended: Promise<Ending>): Promise<Error> {
  try {
    const { code, signal } = await ended;
    return new Error(`${name} ended (${String(signal ?? code)})${tailOf(logPath)}`);
  } catch (error) {
    return error as Error;
  }
}

async function isReady(url: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const get = request(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    get.once('timeout', () => get.destroy());
    get.once('error', () => resolve(false));
    get.end();
  });
}

function tailOf(logPath: string): string {
  return `; its log ends:\n${readFileSync(logPath, 'utf8').slice(-2000)}`;
}
