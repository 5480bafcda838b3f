import { decimalsOf, type Money, magnitude, money } from './money.js';

/** `a + b`. Different assets are a bug: TypeError. */
export function addMoney(a: Money, b: Money): Money {
  assertSameAsset(a, b);
  return money(a.asset, a.atomic + b.atomic);
}

/** `a - b`, negative if `b` is more. Different assets are a bug: TypeError. */
export function subtractMoney(a: Money, b: Money): Money {
  assertSameAsset(a, b);
  return money(a.asset, a.atomic - b.atomic);
}

/** `amount` taken `factor` times. Total. */
export function multiplyMoney(amount: Money, factor: bigint): Money {
  return money(amount.asset, amount.atomic * factor);
}

/** -1, 0 or 1 as `a` is less than, equal to or more than `b`. Different assets are a bug: TypeError. */
export function compareMoney(a: Money, b: Money): -1 | 0 | 1 {
  assertSameAsset(a, b);
  if (a.atomic === b.atomic) return 0;
  return a.atomic < b.atomic ? -1 : 1;
}

/**
 * Divides `amount` in the proportions of `weights`; the parts sum to the whole exactly. The units that do not divide go
 * to the largest remainders, the lower index first among equals. A negative amount is divided as its positive and
 * negated. Weights that are negative, or do not sum to more than zero, are a bug: RangeError.
 */
export function allocate(amount: Money, weights: readonly bigint[]): readonly Money[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  if (total <= 0n || weights.some((weight) => weight < 0n)) {
    throw new RangeError('Weights must not be negative and must sum to more than zero.');
  }
  const whole = magnitude(amount.atomic);
  const shares = weights.map((weight, index) => {
    const product = whole * weight;
    return { index, floor: product / total, remainder: product % total };
  });
  const left = shares.reduce((rest, share) => rest - share.floor, whole);
  const byRemainder = shares.toSorted((a, b) => {
    if (a.remainder === b.remainder) return a.index - b.index;
    return a.remainder > b.remainder ? -1 : 1;
  });
  // Fewer units are left than there are shares with a remainder, so `left` is a small index.
  const favoured = new Set(byRemainder.slice(0, Number(left)).map((share) => share.index));
  const sign = amount.atomic < 0n ? -1n : 1n;
  return shares.map(({ index, floor }) => money(amount.asset, sign * (floor + (favoured.has(index) ? 1n : 0n))));
}

/** How `toCents` rounds: to the nearest and a half to even, away from zero, or towards zero. */
export type Rounding = 'halfEven' | 'up' | 'down';

/** The amount in hundredths of its unit, rounded as named. For the lines of an invoice, and nowhere else. Total. */
export function toCents(amount: Money, rounding: Rounding): bigint {
  const divisor = 10n ** BigInt(decimalsOf[amount.asset] - 2);
  const whole = magnitude(amount.atomic);
  const floor = whole / divisor;
  const remainder = whole % divisor;
  const cents = roundsAway({ floor, remainder, divisor }, rounding) ? floor + 1n : floor;
  return amount.atomic < 0n ? -cents : cents;
}

interface Division {
  readonly floor: bigint;
  readonly remainder: bigint;
  readonly divisor: bigint;
}

function roundsAway({ floor, remainder, divisor }: Division, rounding: Rounding): boolean {
  if (rounding === 'down') return false;
  if (rounding === 'up') return remainder > 0n;
  return remainder * 2n > divisor || (remainder * 2n === divisor && floor % 2n === 1n);
}

function assertSameAsset(a: Money, b: Money): void {
  if (a.asset !== b.asset) throw new TypeError(`${a.asset} and ${b.asset} are different assets.`);
}
