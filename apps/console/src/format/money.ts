/** Decimal text of the API, such as `-12.004500`. */
type Decimal = string;

/**
 * An amount for people: its separators are the language's, its digits the API's, none is rounded away. Zeros that say
 * nothing go, down to two places.
 */
export function formatMoney(amount: Decimal, locale: string): string {
  const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  const shown = fraction.replace(/0+$/, '').padEnd(2, '0');
  const parts = new Intl.NumberFormat(locale, { minimumFractionDigits: 1 }).formatToParts(0.5);
  const separator = parts.find(({ type }) => type === 'decimal')?.value ?? '.';
  return `${sign === '' ? '' : '−'}${new Intl.NumberFormat(locale).format(BigInt(whole))}${separator}${shown}`;
}

/** A count of any size. */
export const formatCount = (count: Decimal | number, locale: string): string =>
  new Intl.NumberFormat(locale).format(typeof count === 'number' ? count : BigInt(count));

/** Sums decimal texts exactly, whatever their places; six at least. */
export function sumMoney(amounts: readonly Decimal[]): Decimal {
  const places = amounts.reduce((most, amount) => Math.max(most, amount.split('.')[1]?.length ?? 0), 6);
  const sum = amounts.reduce((all, amount) => all + toUnits(amount, places), 0n);
  const text = (sum < 0n ? -sum : sum).toString().padStart(places + 1, '0');
  return `${sum < 0n ? '-' : ''}${text.slice(0, -places)}.${text.slice(-places)}`;
}

function toUnits(amount: Decimal, places: number): bigint {
  const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
  const units = BigInt(`${whole}${fraction.slice(0, places).padEnd(places, '0')}`);
  return sign === '' ? units : -units;
}

/** In millionths. */
export const toMicros = (amount: Decimal): bigint => toUnits(amount, 6);

/** Decimal text of millionths. */
export function fromMicros(micros: bigint): Decimal {
  const text = (micros < 0n ? -micros : micros).toString().padStart(7, '0');
  return `${micros < 0n ? '-' : ''}${text.slice(0, -6)}.${text.slice(-6)}`;
}
