/** Cents with two decimals, grouped by `separator`: `1,234.50`, `-0.05`. */
export function centsText(cents: bigint, separator = ''): string {
  return decimalText(cents, 2, separator);
}

/** Micro-dollars with two to six decimals: `25.00`, `0.00025`. */
export function priceText(micros: bigint, separator = ''): string {
  return decimalText(micros, 6, separator).replace(/(\.\d\d\d*?)0*$/u, '$1');
}

/** A whole number, grouped. */
export function countText(count: bigint, separator: string): string {
  const digits = (count < 0n ? -count : count).toString().replaceAll(/\B(?=(?:\d{3})+$)/gu, separator);
  return `${count < 0n ? '-' : ''}${digits}`;
}

/** Basis points as percent: `19`, `7.5`. */
export function percentText(basisPoints: number): string {
  return decimalText(BigInt(basisPoints), 2, '').replace(/\.?0+$/u, '');
}

function decimalText(atomic: bigint, decimals: number, separator: string): string {
  const digits = (atomic < 0n ? -atomic : atomic).toString().padStart(decimals + 1, '0');
  const whole = countText(BigInt(digits.slice(0, -decimals)), separator);
  return `${atomic < 0n ? '-' : ''}${whole}.${digits.slice(-decimals)}`;
}
