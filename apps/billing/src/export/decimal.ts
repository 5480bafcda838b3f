/** The decimal text of a count of smallest units, with all decimals: of 18, `1n` is `0.000000000000000001`. Total. */
export function formatAtomic(atomic: bigint, decimals: number): string {
  const sign = atomic < 0n ? '-' : '';
  const digits = (atomic < 0n ? -atomic : atomic).toString().padStart(decimals + 1, '0');
  if (decimals === 0) return `${sign}${digits}`;
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** Hundredths, the nearest, a half to the even one. `decimals` is 2 or more: RangeError. */
export function centsHalfEven(atomic: bigint, decimals: number): bigint {
  if (decimals < 2) throw new RangeError('an asset with less than two decimals has no hundredths');
  const divisor = 10n ** BigInt(decimals - 2);
  const whole = atomic < 0n ? -atomic : atomic;
  const floor = whole / divisor;
  const twice = (whole % divisor) * 2n;
  const cents = twice > divisor || (twice === divisor && floor % 2n === 1n) ? floor + 1n : floor;
  return atomic < 0n ? -cents : cents;
}
