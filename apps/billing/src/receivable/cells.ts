/** How a bank writes a day. */
export const dateFormats = [
  'YYYY-MM-DD',
  'YYYYMMDD',
  'YYYY/MM/DD',
  'DD.MM.YYYY',
  'DD.MM.YY',
  'DD/MM/YYYY',
  'DD-MM-YYYY',
  'MM/DD/YYYY',
] as const;
export type DateFormat = (typeof dateFormats)[number];
export type DecimalMark = 'point' | 'comma';

const microsPerCent = 10_000n;
const blanks = /[\s\u00a0\u2007\u2009\u202f']/gu;

/** The day in a cell, as `YYYY-MM-DD`; null for what is no day of the format. Two digits of a year are 2000 to 2099. */
export function readDate(cell: string, format: DateFormat): string | null {
  const pattern = format
    .replaceAll('.', '\\.')
    .replace('YYYY', '(?<year>\\d{4})')
    .replace('YY', '(?<year>\\d{2})')
    .replace('MM', '(?<month>\\d{1,2})')
    .replace('DD', '(?<day>\\d{1,2})');
  const shape =
    format === 'YYYYMMDD' ? /^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})$/u : new RegExp(`^${pattern}$`, 'u');
  const found = shape.exec(cell.trim())?.groups;
  if (found === undefined) return null;
  const { year = '', month = '', day = '' } = found;
  const text = `${year.padStart(4, '20')}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const at = new Date(`${text}T00:00:00Z`);
  // A day that the month does not have would become one of the next month.
  if (Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== text) return null;
  return text >= '1970-01-01' ? text : null;
}

/**
 * The amount in a cell, in micro-dollars; null for what is none, for parts of a cent and for more than 15 digits.
 * Thousands may be in groups, and the sign may stand before or after.
 */
export function readAmount(cell: string, decimal: DecimalMark): bigint | null {
  const [mark, group] = decimal === 'comma' ? [',', '.'] : ['.', ','];
  const text = cell.replaceAll(blanks, '').replaceAll('\u2212', '-');
  const shape = /^(?<before>[+-]?)(?<whole>[\d.,]*?\d)(?:(?<mark>[.,])(?<cents>\d{1,2}))?(?<after>[+-]?)$/u;
  const { before = '', whole = '', mark: used, cents = '', after = '' } = shape.exec(text)?.groups ?? {};
  const isGrouped = whole
    .split(group)
    .every((part, index) => /^\d+$/u.test(part) && (index === 0 || part.length === 3));
  if (whole === '' || !isGrouped || (used !== undefined && used !== mark) || (before !== '' && after !== ''))
    return null;
  const digits = whole.replaceAll(group, '') + cents.padEnd(2, '0');
  if (digits.length > 15) return null;
  const amount = BigInt(digits) * microsPerCent;
  return before === '-' || after === '-' ? -amount : amount;
}
