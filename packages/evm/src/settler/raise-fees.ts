import type { Fees } from '../chain/index.js';

/**
 * The fees of a replacement: each at least 12.5 % above the replaced one, and never below `current`. Nodes demand 10 %
 * on both (go-ethereum, txpool "pricebump") and compare in whole wei, so a fee of a few wei must rise by one at least.
 */
export function raiseFees(replaced: Fees, current: Fees): Fees {
  const maxPriorityFeePerGas = larger(raise(replaced.maxPriorityFeePerGas), current.maxPriorityFeePerGas);
  const maxFeePerGas = larger(raise(replaced.maxFeePerGas), current.maxFeePerGas);
  // The two come from different moments: the tip of one may be above the whole fee of the other.
  return { maxPriorityFeePerGas, maxFeePerGas: larger(maxFeePerGas, maxPriorityFeePerGas) };
}

function raise(fee: bigint): bigint {
  return larger((fee * 9n + 7n) / 8n, fee + 1n);
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
