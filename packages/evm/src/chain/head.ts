import { readObject, readQuantity } from './decode.js';
import { toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** The latest block that the node has. */
export interface Head {
  readonly number: bigint;
  /** Unix seconds. */
  readonly timestamp: bigint;
}

/** See `Chain.head`. */
export async function readHead(rpc: Rpc): Promise<Head> {
  try {
    const block = readObject(await rpc.call('eth_getBlockByNumber', '["latest",false]'), 'block');
    return { number: readQuantity(block['number'], 'block'), timestamp: readQuantity(block['timestamp'], 'block') };
  } catch (error) {
    throw toChainFailure(error);
  }
}
