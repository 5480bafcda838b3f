import type { CurrentFees, Fees } from './fees.js';

/** What a settlement may cost at most, in wei. What is left out has no ceiling. */
export interface FeeCeiling {
  /** Of one gas. */
  readonly maxGasPrice?: bigint | undefined;
  /** Of the gas limit at the whole fee, for each payment of a transaction: the most that could be paid, not what is. */
  readonly maxCostPerPayment?: bigint | undefined;
}

/** Gas costs more than the operator allows. Nothing was signed; the same settlement may be tried later. */
export class FeeTooHigh extends Error {
  override readonly name = 'FeeTooHigh';

  constructor(
    readonly kind: 'gas-price' | 'cost',
    /** Wei. */
    readonly asked: bigint,
    /** Wei. */
    readonly ceiling: bigint,
  ) {
    super(
      `the ${kind === 'cost' ? 'cost' : 'gas price'} of ${String(asked)} wei is above the ceiling of ${String(ceiling)}`,
    );
  }
}

/**
 * The fees below a ceiling: the room for a rising base fee is cut to fit, and `FeeTooHigh` thrown only when what the
 * next block asks does not fit.
 */
export function capFees(fees: CurrentFees, { maxGasPrice }: FeeCeiling): CurrentFees {
  const asked = fees.baseFeePerGas + fees.maxPriorityFeePerGas;
  if (maxGasPrice === undefined || fees.maxFeePerGas <= maxGasPrice) return fees;
  if (asked > maxGasPrice) throw new FeeTooHigh('gas-price', asked, maxGasPrice);
  return { ...fees, maxFeePerGas: maxGasPrice };
}

/** What a transaction could cost. */
interface Offer {
  readonly fees: Fees;
  readonly gasLimit: bigint;
  readonly payments: number;
}

/** Why the offer is above the ceiling, or null. */
export function checkCeiling({ fees, gasLimit, payments }: Offer, ceiling: FeeCeiling): FeeTooHigh | null {
  const { maxGasPrice, maxCostPerPayment } = ceiling;
  if (maxGasPrice !== undefined && fees.maxFeePerGas > maxGasPrice) {
    return new FeeTooHigh('gas-price', fees.maxFeePerGas, maxGasPrice);
  }
  if (maxCostPerPayment === undefined) return null;
  const [cost, allowed] = [gasLimit * fees.maxFeePerGas, maxCostPerPayment * BigInt(payments)];
  return cost > allowed ? new FeeTooHigh('cost', cost, allowed) : null;
}
