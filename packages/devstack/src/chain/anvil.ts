import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Address, Hex } from 'viem';
import { identify, type ProcessIdentity } from '../identity.js';
import { isPortFree, PortTaken } from '../ports.js';
import { callIpc, callRpc } from './json-rpc.js';

/** How to run the node. */
export interface AnvilOptions {
  readonly port: number;
  readonly chainId: number;
  readonly slotsInAnEpoch: number;
  readonly host?: string;
  readonly statePath?: string;
  readonly blockTimeSeconds?: number;
  readonly genesisTime?: Date;
  /** Told of the process, and of the marker it will carry, before anything else is done with it. */
  readonly onSpawn: (node: ProcessIdentity, marker: Hex) => void;
}

/** Nobody's account; its code names the home that the chain belongs to. ASCII "keyfare". */
const markerAddress: Address = '0x6b65796661726500000000000000000000000000';

const startTimeoutMs = 120_000;

/** The program of this platform's npm package. */
function anvilProgram(): string {
  const beside = createRequire(placeOfAnvil());
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  return beside.resolve(`@foundry-rs/anvil-${process.platform}-${architecture}/bin/anvil`);
}

/** An optional peer: who starts no chain needs none of its 43 MB. */
function placeOfAnvil(): string {
  const require = createRequire(import.meta.url);
  try {
    return require.resolve('@foundry-rs/anvil/package.json');
  } catch (cause) {
    throw new Error('a local chain needs the package @foundry-rs/anvil: install it beside @keyfare/devstack', {
      cause,
    });
  }
}

/**
 * Starts the node and returns when it is proven that the port answers for it: a random marker is written through the
 * node's private Unix socket and read back at the port. So another program that took the port first is never mistaken
 * for our node, whichever of the two answers faster. Throws `PortTaken`.
 */
export async function launchAnvil(options: AnvilOptions): Promise<ProcessIdentity> {
  if (!(await isPortFree(options.port))) throw new PortTaken(options.port);
  removeStaleSockets();
  const sockets = mkdtempSync(join(tmpdir(), `${socketsPrefix}${String(process.pid)}-`));
  const ipcPath = join(sockets, 'ipc');
  const wordsPath = join(sockets, 'words');
  const words = openSync(wordsPath, 'w');
  const child = spawn(anvilProgram(), argumentsOf(options, ipcPath), {
    detached: true, // a Ctrl-C in the terminal is for whoever started it, who stops it in good order
    stdio: ['ignore', words, words], // a file: a pipe would break under the node when this process is killed
  });
  closeSync(words);
  const failed = failure(child, options.port, wordsPath);
  failed.catch(() => undefined); // it ends one day, long after anybody waits for this
  try {
    const marker: Hex = `0x00${randomBytes(31).toString('hex')}`;
    const node = child.pid === undefined ? null : identify(child.pid);
    if (node === null) return await failed;
    options.onSpawn(node, marker);
    await Promise.race([failed, prove(options, ipcPath, marker)]);
    child.unref();
    return node;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    rmSync(sockets, { recursive: true, force: true });
  }
}

/** In the system's own directory: the path of a socket may have some hundred characters, and a home may have more. */
const socketsPrefix = 'keyfare-anvil-';

/** What starts left that were killed on the way. */
function removeStaleSockets(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(socketsPrefix))) {
    const owner = Number(name.slice(socketsPrefix.length).split('-')[0]);
    const path = join(tmpdir(), name);
    const ours = statSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (ours && identify(owner) === null) rmSync(path, { recursive: true, force: true });
  }
}

function argumentsOf(options: AnvilOptions, ipcPath: string): string[] {
  const { port, chainId, slotsInAnEpoch, statePath, blockTimeSeconds, genesisTime } = options;
  const settings: Record<string, string | number> = {
    host: options.host ?? '127.0.0.1',
    port,
    'chain-id': chainId,
    'slots-in-an-epoch': slotsInAnEpoch,
    ipc: ipcPath,
    ...(blockTimeSeconds !== undefined && { 'block-time': blockTimeSeconds }),
    ...(genesisTime !== undefined && { timestamp: Math.floor(genesisTime.getTime() / 1_000) }),
    ...(statePath !== undefined && { state: statePath, 'state-interval': 1 }),
  };
  return ['--quiet', '--no-cors', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])];
}

/** Rejects when the node ends while it is waited for; never resolves. */
async function failure(child: ChildProcess, port: number, wordsPath: string): Promise<never> {
  return await new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', () => {
      const words = existsSync(wordsPath) ? readFileSync(wordsPath, 'utf8') : '';
      reject(words.includes('Address already in use') ? new PortTaken(port) : new Error(`anvil ended: ${words}`));
    });
  });
}

async function prove(options: AnvilOptions, ipcPath: string, marker: Hex): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    try {
      await callIpc(ipcPath, 'anvil_setCode', [markerAddress, marker]);
      if ((await readMarker(urlOf(options.port))) === marker) return;
      throw new PortTaken(options.port);
    } catch (error) {
      if (error instanceof PortTaken || performance.now() > deadline) throw error;
      await delay(10);
    }
  }
}

/** The marker of the chain that answers at the URL, or null when it has none. */
export async function readMarker(rpcUrl: string): Promise<Hex | null> {
  const code = await callRpc(rpcUrl, 'eth_getCode', [markerAddress, 'latest']);
  return typeof code === 'string' && code.length === 66 ? (code as Hex) : null;
}

/** Where a node of this machine answers. */
export function urlOf(port: number): string {
  return `http://127.0.0.1:${String(port)}`;
}
