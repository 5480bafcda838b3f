import type { Fees } from '../chain/index.js';

/**
 * How many times what the chain asks now a replacement may offer. A chain that mines nothing is not moved by a higher
 * price, and somebody may be holding a transaction back on purpose: without a ceiling the offers grow eightfold in
 * eighteen steps, and are paid when the block comes.
 */
const ceiling = 5n;

/**
 * The fees of a replacement: each at least 12.5 % above the replaced one, and never below `current`. Nodes demand 10 %
 * on both (go-ethereum, txpool "pricebump") and compare in whole wei, so a fee of a few wei must rise by one at least.
 * Null when that would be more than five times `current`: then the replaced one stands until the chain asks for more.
 */
export function raiseFees(replaced: Fees, current: Fees): Fees | null {
  const maxPriorityFeePerGas = larger(raise(replaced.maxPriorityFeePerGas), current.maxPriorityFeePerGas);
  const maxFeePerGas = larger(raise(replaced.maxFeePerGas), current.maxFeePerGas);
  // The two come from different moments: the tip of one may be above the whole fee of the other.
  const raised = { maxPriorityFeePerGas, maxFeePerGas: larger(maxFeePerGas, maxPriorityFeePerGas) };
  return raised.maxFeePerGas > ceiling * larger(current.maxFeePerGas, 1n) ? null : raised;
}

function raise(fee: bigint): bigint {
  return larger((fee * 9n + 7n) / 8n, fee + 1n);
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
