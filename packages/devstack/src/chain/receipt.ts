import { setTimeout as delay } from 'node:timers/promises';
import type { Hex } from 'viem';
import { callRpc } from './json-rpc.js';

const waitMs = 100_000;

/** Waits until the transaction is mined and returns its hash. Throws when it reverted. */
export async function waitForReceipt(rpcUrl: string, hash: Hex): Promise<Hex> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const receipt = (await callRpc(rpcUrl, 'eth_getTransactionReceipt', [hash])) as { status: Hex } | null;
    if (receipt?.status === '0x1') return hash;
    if (receipt !== null) throw new Error(`transaction ${hash} reverted`);
    if (performance.now() > deadline) throw new Error(`transaction ${hash} was not mined`);
    await delay(10);
  }
}
