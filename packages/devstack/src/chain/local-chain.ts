import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Hex } from 'viem';
import { isAlive, type ProcessIdentity } from '../identity.js';
import { waitForLock } from '../lock.js';
import { hasPaymentBatch, installPaymentBatch } from '../payment-batch.js';
import { endProcess, freezeProcess, killProcess, signal } from '../signals.js';
import { hasTokens, installEurc, installUsdc } from '../usdc.js';
import { type AnvilOptions, launchAnvil, readMarker, urlOf } from './anvil.js';
import { callRpc } from './json-rpc.js';
import { type ChainRecord, readRecord, writeRecord } from './record.js';
import { keepPrevious, prepareState, type StateKeeper, type StateSource } from './state-file.js';

/** How to run the local chain. */
export interface ChainOptions {
  readonly port: number;
  /** Default 84532, Base Sepolia's. */
  readonly chainId?: number;
  /** Where the chain's state is kept, written every second; without it the chain is forgotten when it ends. */
  readonly statePath?: string;
  /** Where to listen; default 127.0.0.1. The node has no password: elsewhere it is everybody's. */
  readonly host?: string;
  /** Default: a block for each transaction, at once. */
  readonly blockTimeSeconds?: number;
  /** When its first block was; default now. A chain that is restored from its state goes on from that. */
  readonly genesisTime?: Date;
  /** Default 1: `safe` is one block behind `latest`, `finalized` two. The node calls 32 an epoch by itself. */
  readonly slotsInAnEpoch?: number;
  /**
   * Told of the node's process as soon as it exists, before it is ready: to record it, should this process be killed.
   */
  readonly onSpawn?: (node: ProcessIdentity) => void;
}

/** A chain that answers, with the test tokens and the batch contract on it. */
export interface LocalChain {
  readonly rpcUrl: string;
  readonly port: number;
  readonly chainId: number;
  readonly node: ProcessIdentity;
  /** False when the home's chain was running already and was adopted. */
  readonly startedHere: boolean;
  /** What a started chain began from; `state` for an adopted one. */
  readonly restoredFrom: StateSource;
  /** Mines that many blocks now. */
  mine(blocks?: number): Promise<void>;
  /** Ends the node, which writes its state first. */
  stop(): Promise<void>;
  /** Kills the node as a crash would: the blocks since the last write are lost. */
  kill(): Promise<void>;
  /** Freezes the node: connections are accepted, nothing answers. */
  pause(): Promise<void>;
  resume(): void;
}

const defaultChainId = 84_532;
const stopTimeoutMs = 15_000;

/**
 * Starts a chain with the test tokens and the batch contract at their places, or adopts the one that this home (the
 * `statePath`) runs already: the process must be the one recorded, and the chain must carry the recorded marker and our
 * contracts; a chain with older ones is started anew from its state. Whatever else answers at the port is a stranger's:
 * `PortTaken`, and nothing is sent to it. The chain keeps running when this process ends.
 */
export async function startChain(options: ChainOptions): Promise<LocalChain> {
  const chainId = options.chainId ?? defaultChainId;
  const { statePath, port } = options;
  const onSpawn = (node: ProcessIdentity, marker: Hex) => {
    if (statePath !== undefined) writeRecord(recordPath(statePath), { node, port, marker });
    options.onSpawn?.(node);
  };
  const settings = { ...options, chainId, slotsInAnEpoch: options.slotsInAnEpoch ?? 1, onSpawn };
  if (statePath === undefined) return await launch(settings, 'nothing');
  mkdirSync(dirname(statePath), { recursive: true, mode: 0o700 });
  const lock = await waitForLock(`${statePath}.lock`, stopTimeoutMs * 4);
  try {
    const record = readRecord(recordPath(statePath));
    const running = record && isAlive(record.node) ? await adopt(record, settings) : null;
    return running ?? (await launch(settings, prepareState(statePath)));
  } finally {
    lock.release();
  }
}

/** Ends the chain that a home runs, if it runs one: for a stop in another process than the start. */
export async function stopChain(statePath: string): Promise<void> {
  const record = readRecord(recordPath(statePath));
  if (record) await endProcess(record.node, stopTimeoutMs);
}

async function launch(settings: AnvilOptions, restoredFrom: StateSource): Promise<LocalChain> {
  const node = await launchAnvil(settings);
  try {
    const rpcUrl = urlOf(settings.port);
    await Promise.all([installUsdc(rpcUrl), installEurc(rpcUrl), installPaymentBatch(rpcUrl)]);
  } catch (error) {
    await killProcess(node);
    throw error;
  }
  return handle({ ...settings, node, startedHere: true, restoredFrom });
}

/** The recorded process lives. It is ours; whether it is still of use is for its answers to say. */
async function adopt(record: ChainRecord, settings: AnvilOptions): Promise<LocalChain | null> {
  signal(record.node, 'SIGCONT'); // it may have been left paused
  const rpcUrl = urlOf(record.port);
  try {
    if ((await readMarker(rpcUrl)) === record.marker) {
      const [chainId, token, batch] = await Promise.all([
        callRpc(rpcUrl, 'eth_chainId'),
        hasTokens(rpcUrl),
        hasPaymentBatch(rpcUrl),
      ]);
      const same = Number(chainId) === settings.chainId && token && batch;
      if (same) {
        return handle({
          ...settings,
          port: record.port,
          node: record.node,
          startedHere: false,
          restoredFrom: 'state',
        });
      }
    }
  } catch {
    // It lives and does not answer: it is ended below like one of another chain id or of an older contract.
  }
  await endProcess(record.node, stopTimeoutMs);
  return null;
}

interface Parts extends AnvilOptions {
  readonly node: ProcessIdentity;
  readonly startedHere: boolean;
  readonly restoredFrom: StateSource;
}

function handle(parts: Parts): LocalChain {
  const { node, port, chainId, statePath, startedHere, restoredFrom } = parts;
  const keeper: StateKeeper | null = statePath === undefined ? null : keepPrevious(statePath, 1000);
  const finish = async (ended: Promise<void>) => {
    keeper?.stop();
    await ended;
  };
  const rpcUrl = urlOf(port);
  return {
    rpcUrl,
    port,
    chainId,
    node,
    startedHere,
    restoredFrom,
    mine: async (blocks = 1) => void (await callRpc(rpcUrl, 'anvil_mine', [`0x${blocks.toString(16)}`])),
    stop: async () => await finish(endProcess(node, stopTimeoutMs)),
    kill: async () => await finish(killProcess(node)),
    pause: async () => await freezeProcess(node),
    resume: () => signal(node, 'SIGCONT'),
  };
}

function recordPath(statePath: string): string {
  return `${statePath}.node`;
}
