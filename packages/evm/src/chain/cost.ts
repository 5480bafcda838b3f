import type { Hex } from '@keyfare/core/encoding';
import { readBytes, readQuantity } from './decode.js';
import { isRevert, toChainFailure } from './errors.js';
import type { CurrentFees } from './fees.js';
import type { Rpc } from './rpc.js';

const weiPerEther = 10n ** 18n;

/** What `gas` costs if it is mined in the next block, in wei, with the fee for the data on layer 1 if there is one. */
export function estimateCost(gas: bigint, fees: CurrentFees, l1Fee = 0n): bigint {
  const asked = fees.baseFeePerGas + fees.maxPriorityFeePerGas;
  return gas * (asked < fees.maxFeePerGas ? asked : fees.maxFeePerGas) + l1Fee;
}

/**
 * Wei in atomic units of an asset, rounded up. `etherPrice` is what one ether (or the chain's own coin) costs in these
 * units: 3000 USDC are 3_000_000_000n.
 */
export function costInAsset(wei: bigint, etherPrice: bigint): bigint {
  return (wei * etherPrice + weiPerEther - 1n) / weiPerEther;
}

/** What `isWorthSettling` weighs. */
export interface SettlementValue {
  /** What moves to us, in atomic units of the asset. */
  readonly amount: bigint;
  /** What moving it costs, in wei: see `estimateCost`. */
  readonly cost: bigint;
  /** Atomic units of the asset for one ether. */
  readonly etherPrice: bigint;
  /** How much of the amount gas may take, in percent. @default 100n */
  readonly maxCostPercent?: bigint;
}

/** Whether gas takes no more of the amount than it may. */
export function isWorthSettling({ amount, cost, etherPrice, maxCostPercent = 100n }: SettlementValue): boolean {
  return costInAsset(cost, etherPrice) * 100n <= amount * maxCostPercent;
}

/** The GasPriceOracle of the OP stack, a predeploy at one address on each of its chains (OP specs, "Predeploys"). */
const oracle = '0x420000000000000000000000000000000000000f';
/** `getL1Fee(bytes)`. */
const getL1Fee = '0x49948e0e';

/** See `Chain.l1Fee`. */
export async function readL1Fee(rpc: Rpc, transaction: Hex): Promise<bigint> {
  const digits = readBytes(transaction, 'transaction').slice(2);
  const length = (digits.length / 2).toString(16).padStart(64, '0');
  const padding = '0'.repeat((64 - (digits.length % 64)) % 64);
  const data = `${getL1Fee}${'20'.padStart(64, '0')}${length}${digits}${padding}`;
  try {
    const word = await rpc.call('eth_call', `[{"to":"${oracle}","data":"${data}"},"latest"]`);
    return word === '0x' ? 0n : readQuantity(word, 'fee for layer 1');
  } catch (error) {
    if (isRevert(error)) return 0n; // something else lives at this address here
    throw toChainFailure(error);
  }
}
