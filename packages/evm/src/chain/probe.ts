import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { checkAddress } from './calldata.js';
import { readBytes, readHash } from './decode.js';
import { ChainUnavailable, isRevert, toChainFailure } from './errors.js';
import { createTransport, type Transport } from './http.js';
import type { Rpc } from './rpc.js';
import { BatchRefused, decodeBatch, decodeLone, encodeBatchOf, encodeLone, type Question } from './rpc-messages.js';

/** How to reach the node that is looked at. */
export interface ProbeOptions {
  readonly rpcUrl: string;
  readonly timeoutMs: number;
  /** Larger batches are not tried: as many as `ChainOptions.maxBatchCalls` would send. */
  readonly maxBatchCalls: number;
}

/** What a node is like. */
export interface NodeProbe {
  readonly chainId: number;
  /** The median of five requests on a connection that stands. */
  readonly latencyMs: number;
  /** JSON-RPC calls that it answers in one HTTP request, up to `maxBatchCalls`; 1: it takes no batches. */
  readonly batchCalls: number;
}

const samples = 5;
const chainId: Question = { method: 'eth_chainId', params: '[]' };

/**
 * Asks a node which chain it serves, how fast, and finds by halving how many calls it takes at once: with 1,000 allowed
 * in eleven requests at most. Rejects with `ChainUnavailable`. `TypeError` for a URL that is none.
 */
export async function probeNode({ rpcUrl, timeoutMs, maxBatchCalls }: ProbeOptions): Promise<NodeProbe> {
  const transport = createTransport({ rpcUrl, timeoutMs, maxConnections: 1 });
  try {
    // The first request opens the connection and is not counted.
    const served = await askChainId(transport);
    const times: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      const startedMs = performance.now();
      await askChainId(transport);
      times.push(performance.now() - startedMs);
    }
    const latencyMs = times.sort((a, b) => a - b)[samples >> 1] ?? 0;
    return { chainId: served, latencyMs, batchCalls: await findBatchLimit(transport, maxBatchCalls) };
  } finally {
    transport.close();
  }
}

/** keccak256("DOMAIN_SEPARATOR()"), its first four bytes (EIP-2612, and USDC). */
const domainSeparatorCall = '0x3644e515';

/** What a token says its EIP-712 domain separator is; null where it has no such function. */
export async function readDomainSeparator(rpc: Rpc, token: Address): Promise<Hex | null> {
  checkAddress(token);
  try {
    const word = await rpc.call('eth_call', `[{"to":"${token}","data":"${domainSeparatorCall}"},"latest"]`);
    return word === '0x' ? null : readHash(word, 'domain separator');
  } catch (error) {
    if (isRevert(error)) return null;
    throw toChainFailure(error);
  }
}

/** Whether a contract lives at the address. */
export async function hasCode(rpc: Rpc, address: Address): Promise<boolean> {
  checkAddress(address);
  try {
    return readBytes(await rpc.call('eth_getCode', `["${address}","latest"]`), 'code').length > 2;
  } catch (error) {
    throw toChainFailure(error);
  }
}

async function askChainId(transport: Transport): Promise<number> {
  const answer = decodeLone(await transport.post(encodeLone(chainId)));
  const result = typeof answer === 'object' && 'result' in answer ? answer.result : undefined;
  if (typeof result !== 'string' || !/^0x[0-9a-fA-F]{1,13}$/.test(result)) {
    throw new ChainUnavailable('the node does not tell its chain');
  }
  return Number(result);
}

async function findBatchLimit(transport: Transport, most: number): Promise<number> {
  if (most <= 1 || (await takes(transport, most))) return most;
  let [taken, refused] = [1, most];
  while (refused - taken > 1) {
    const middle = (taken + refused) >> 1;
    if (await takes(transport, middle)) taken = middle;
    else refused = middle;
  }
  return taken;
}

/** Whether a batch of so many calls is answered whole. A node that is throttling says nothing about its limit. */
async function takes(transport: Transport, count: number): Promise<boolean> {
  const questions = Array.from({ length: count - 1 }, () => chainId);
  try {
    const answers = decodeBatch(await transport.post(encodeBatchOf(questions)), questions.length);
    return answers.every((answer) => typeof answer === 'object');
  } catch (error) {
    if (error instanceof BatchRefused) return false;
    throw error;
  }
}
