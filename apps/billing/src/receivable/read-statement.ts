import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { CsvError, type Info, parse } from 'csv-parse/sync';
import { readAmount, readDate } from './cells.js';
import { decodeText, type Encoding } from './decode.js';
import { columnsOf, type Mapping } from './mapping.js';

/** One payment, as a bank statement has it. */
export interface StatementLine {
  /** Of the file, from 1: where the line ends. */
  readonly line: number;
  /** `YYYY-MM-DD`. */
  readonly bookedOn: string;
  /** In micro-dollars; what went out is negative. */
  readonly amount: bigint;
  readonly payer: string;
  readonly reference: string;
  /** SHA-256 of all that the statement says of it. */
  readonly digest: Buffer;
  /** Which of the equal lines of this file it is, from 0. */
  readonly nth: number;
}

export interface LineFault {
  /** 0 for the file as a whole. */
  readonly line: number;
  readonly fault: string;
}

/** A statement that was read. With any fault, `lines` are not to be used. */
export interface Statement {
  readonly encoding: Encoding | null;
  readonly lines: readonly StatementLine[];
  readonly faults: readonly LineFault[];
}

const separators = { comma: ',', semicolon: ';', tab: '\t' } as const;
const mostLines = 20_000;
const mostFaults = 100;
const mostLetters = 1_000;
const control = /[\p{Cc}\p{Surrogate}\u2028\u2029]+/gu;

type Cells = ReadonlyMap<string, string>;
type Content = Pick<StatementLine, 'bookedOn' | 'amount' | 'payer' | 'reference'> & { readonly bankReference: string };

/** Reads a bank statement by the mapping of its bank account. Never throws: what is wrong is in `faults`, by lines. */
export function readStatement(bytes: Uint8Array, mapping: Mapping, currency: string): Statement {
  const decoded = decodeText(bytes);
  if (decoded === null) return failed(null, 0, 'The file is in none of UTF-8, UTF-16 and Windows-1252.');
  const { text, encoding } = decoded;
  const body = afterLines(text, mapping.skipLines);
  const table = readTable(body, mapping);
  if ('fault' in table) {
    const line = table.line === 0 ? 0 : table.line + mapping.skipLines;
    return failed(encoding, line, table.fault);
  }
  const lines: StatementLine[] = [];
  const faults: LineFault[] = [];
  const seen = new Map<string, number>();
  for (const { line: ofBody, cells } of table.rows) {
    const line = ofBody + mapping.skipLines;
    const content = contentOf(cells, mapping, currency);
    if (typeof content === 'string') {
      if (faults.length < mostFaults) faults.push({ line, fault: content });
      continue;
    }
    const { bankReference, ...payment } = content;
    const said = { ...payment, bankReference, amount: content.amount.toString() };
    const digest = createHash('sha256').update(canonicalJson(said)).digest();
    const name = digest.toString('hex');
    const nth = seen.get(name) ?? 0;
    seen.set(name, nth + 1);
    lines.push({ line, ...payment, digest, nth });
  }
  return { encoding, lines, faults };
}

type Table =
  | { readonly rows: readonly { readonly line: number; readonly cells: Cells }[] }
  | { readonly line: number; readonly fault: string };

function readTable(body: string, mapping: Mapping): Table {
  const wanted = columnsOf(mapping);
  const tried = mapping.separator === null ? Object.values(separators) : [separators[mapping.separator]];
  const header = tried
    .map((separator) => ({ separator, names: headerOf(body, separator) }))
    .find(({ names }) => wanted.every((name) => names.includes(name)));
  if (header === undefined) return { line: 0, fault: `The header lacks ${missing(body, tried, wanted)}.` };
  const twice = wanted.find((name) => header.names.filter((other) => other === name).length > 1);
  if (twice !== undefined) return { line: 0, fault: `The header has the column ${twice} twice.` };
  const records = recordsOf(body, header.separator);
  if ('fault' in records) return records;
  const rows = records.rows.slice(1);
  if (rows.length > mostLines) return { line: 0, fault: `The file has more than ${mostLines} lines.` };
  const short = rows.find(({ record }) => record.length !== header.names.length);
  if (short !== undefined) {
    const fault = `The line has ${short.record.length} columns, the header ${header.names.length}.`;
    return { line: short.line, fault };
  }
  return {
    rows: rows.map(({ line, record }) => ({
      line,
      cells: new Map(header.names.map((name, index) => [name, record[index] ?? ''])),
    })),
  };
}

function missing(body: string, tried: readonly string[], wanted: readonly string[]): string {
  const lacks = tried.map((separator) => {
    const names = headerOf(body, separator);
    return wanted.filter((name) => !names.includes(name));
  });
  const fewest = lacks.toSorted((a, b) => a.length - b.length)[0] ?? [];
  return fewest.map((name) => `“${name}”`).join(', ');
}

function headerOf(body: string, separator: string): readonly string[] {
  const records = recordsOf(body, separator, 1);
  return 'fault' in records ? [] : (records.rows[0]?.record ?? []).map((name) => name.trim());
}

type Records =
  | { readonly rows: readonly { readonly line: number; readonly record: readonly string[] }[] }
  | { readonly line: number; readonly fault: string };

interface Informed {
  readonly info: Info;
  readonly record: readonly string[];
}

function recordsOf(body: string, delimiter: string, most = mostLines + 2): Records {
  try {
    const found = parse(body, {
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: 20_000,
      to: most,
    }) as unknown as readonly Informed[];
    return { rows: found.map(({ info, record }) => ({ line: info.lines, record })) };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = 'lines' in error && typeof error['lines'] === 'number' ? error['lines'] : 0;
    return { line, fault: 'The line is no CSV: a quote is open, or stands where none may.' };
  }
}

/** What a line says, or what is wrong with it. */
function contentOf(cells: Cells, mapping: Mapping, currency: string): Content | string {
  const cell = (name: string | null): string => (name === null ? '' : (cells.get(name) ?? ''));
  const bookedOn = readDate(cell(mapping.bookedOn), mapping.dateFormat);
  if (bookedOn === null) return `“${mapping.bookedOn}” is no day as ${mapping.dateFormat}.`;
  if (mapping.currency !== null && cell(mapping.currency).trim() !== currency) {
    return `“${mapping.currency}” is not ${currency}.`;
  }
  const amount = amountOf(cell, mapping);
  if (amount === null) return 'The amount is no number of whole cents with the decimal mark of the mapping.';
  const texts = {
    payer: cleaned(cell(mapping.payer)),
    reference: cleaned(mapping.reference.map(cell).join(' ')),
    bankReference: cleaned(cell(mapping.bankReference)),
  };
  if (Object.values(texts).some((text) => text.length > mostLetters))
    return `A text has more than ${mostLetters} letters.`;
  return { bookedOn, amount, ...texts };
}

function amountOf(cell: (name: string | null) => string, { amount, credit, debit, decimal }: Mapping): bigint | null {
  if (amount !== null) return readAmount(cell(amount), decimal);
  const [came, went] = [credit, debit].map((name) => {
    const text = cell(name).trim();
    return text === '' ? 0n : readAmount(text, decimal);
  });
  if (came === undefined || went === undefined || came === null || went === null) return null;
  // Banks write what went out with and without its sign. A line that says both says neither.
  if (came < 0n || (came !== 0n && went !== 0n)) return null;
  return came - (went < 0n ? -went : went);
}

/** One line, with single blanks: what another export of the same bank breaks elsewhere is the same text. */
function cleaned(text: string): string {
  return text.replaceAll(control, ' ').replaceAll(/\s+/gu, ' ').trim();
}

function afterLines(text: string, count: number): string {
  let at = 0;
  for (let skipped = 0; skipped < count; skipped += 1) {
    const end = text.indexOf('\n', at);
    if (end === -1) return '';
    at = end + 1;
  }
  return text.slice(at);
}

function failed(encoding: Encoding | null, line: number, fault: string): Statement {
  return { encoding, lines: [], faults: [{ line, fault }] };
}
