import type { Hex } from '@keyfare/core/encoding';
import { readHash, readObject, readQuantity } from './decode.js';
import { toChainFailure } from './errors.js';
import type { Rpc } from './rpc.js';

/** The latest block that the node has. */
export interface Head {
  readonly number: bigint;
  readonly hash: Hex;
  /** Unix seconds. */
  readonly timestamp: bigint;
}

/** See `Chain.head`. */
export async function readHead(rpc: Rpc): Promise<Head> {
  try {
    const block = readObject(await rpc.call('eth_getBlockByNumber', '["latest",false]'), 'block');
    return {
      number: readQuantity(block['number'], 'block'),
      hash: readHash(block['hash'], 'block'),
      timestamp: readQuantity(block['timestamp'], 'block'),
    };
  } catch (error) {
    throw toChainFailure(error);
  }
}
