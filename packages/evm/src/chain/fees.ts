import { readObject, readQuantity } from './decode.js';
import { ChainError, toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** What a transaction offers for its gas, in wei (EIP-1559). */
export interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}

/** What the chain asks for gas now. */
export interface CurrentFees extends Fees {
  readonly baseFeePerGas: bigint;
}

/**
 * The fees for a transaction that is to be mined soon: twice the base fee (which rises by an eighth a block at most, so
 * six full blocks in a row) and the tip that the node suggests.
 */
export async function readFees(rpc: Rpc): Promise<CurrentFees> {
  try {
    const [block, tip, gasPrice] = await Promise.all([
      rpc.call('eth_getBlockByNumber', '["latest",false]'),
      rpc.call('eth_maxPriorityFeePerGas', '[]').catch(() => null), // not every node has it
      rpc.call('eth_gasPrice', '[]'),
    ]);
    const header = readObject(block, 'block');
    readQuantity(header['number'], 'block');
    const base = header['baseFeePerGas'];
    if (base === undefined || base === null)
      throw new ChainError('unsupported', 'the chain has no base fee (EIP-1559)');
    const baseFeePerGas = readQuantity(base, 'base fee');
    const priced = readQuantity(gasPrice, 'gas price') - baseFeePerGas;
    const maxPriorityFeePerGas = tip === null ? (priced > 0n ? priced : 0n) : readQuantity(tip, 'priority fee');
    return { baseFeePerGas, maxPriorityFeePerGas, maxFeePerGas: baseFeePerGas * 2n + maxPriorityFeePerGas };
  } catch (error) {
    throw toChainFailure(error);
  }
}

/** Keeps what `read` gives for `ttlMs`; callers meanwhile share it. A failure is not kept. */
export function cached<Value>(read: () => Promise<Value>, ttlMs: number): () => Promise<Value> {
  let kept: { readonly until: number; readonly value: Promise<Value> } | null = null;
  return async () => {
    if (kept !== null && performance.now() < kept.until) return await kept.value;
    const value = read();
    const mine = { until: performance.now() + ttlMs, value };
    kept = mine;
    try {
      return await value;
    } catch (error) {
      if (kept === mine) kept = null;
      throw error;
    }
  };
}
