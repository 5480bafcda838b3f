import { centsHalfEven, formatAtomic } from './decimal.js';
import type { Encoder } from './encoder.js';

/** The balance of one account at the start and the end of a day or a month. Rows come in order of date and asset. */
export interface SummaryRow {
  /** `YYYY-MM-DD`: the day, or the last one of the month. */
  readonly date: string;
  readonly account: string;
  readonly asset: string;
  readonly decimals: number;
  /** Smallest units; debits are more than zero. */
  readonly opening: bigint;
  readonly closing: bigint;
}

/** A program that journals are imported into. */
export const programs = ['quickbooks', 'xero', 'netsuite'] as const;

/** A program that journals are imported into. */
export type Program = (typeof programs)[number];

/** The account that takes what rounding to cents leaves in a journal. */
export const roundingAccount = 'cents-rounding';

export type ImportRow = Readonly<Record<string, string | null>>;

interface ImportLine {
  readonly number: string;
  readonly date: string;
  readonly account: string;
  readonly asset: string;
  readonly cents: bigint;
}

interface Shape {
  readonly columns: readonly string[];
  readonly row: (line: ImportLine) => readonly (string | null)[];
}

const shapes: Readonly<Record<Program, (taxRate: string) => Shape>> = {
  quickbooks: () => ({
    columns: ['JournalNo', 'JournalDate', 'AccountName', 'Debits', 'Credits', 'Description', 'Name'],
    row: (line) => [line.number, usDate(line), line.account, debit(line), credit(line), memo(line), null],
  }),
  xero: (taxRate) => ({
    columns: ['*Narration', '*Date', 'Description', '*AccountCode', '*TaxRate', '*Amount'],
    row: (line) => [line.number, euDate(line), memo(line), line.account, taxRate, formatAtomic(line.cents, 2)],
  }),
  netsuite: () => ({
    columns: ['External ID', 'Date', 'Currency', 'Memo', 'Account', 'Debit', 'Credit'],
    row: (line) => [line.number, usDate(line), line.asset, memo(line), line.account, debit(line), credit(line)],
  }),
};

/** The columns of a program's import, and those of them that are amounts. */
export function importColumns(program: Program): {
  readonly columns: readonly string[];
  readonly amounts: readonly string[];
} {
  const { columns } = shapes[program]('');
  return { columns, amounts: columns.filter((column) => /^(Debits?|Credits?|\*Amount)$/.test(column)) };
}

/**
 * One journal for each date and asset, in whole cents. An account's line is its rounded closing balance less its
 * rounded opening balance, so what a program has added up of an account is always the rounded balance, over any number
 * of files; `cents-rounding` takes the rest, so each journal balances.
 */
export function summaryEncoder(program: Program, taxRate: string): Encoder<SummaryRow, ImportRow> {
  const { columns, row: cells } = shapes[program](taxRate);
  const write = (line: ImportLine): ImportRow => {
    const values = cells(line);
    return Object.fromEntries(columns.map((column, index) => [column, values[index] ?? null]));
  };
  let open: { readonly date: string; readonly asset: string; readonly number: string; sum: bigint } | undefined;
  const close = (): readonly ImportRow[] => {
    if (open === undefined || open.sum === 0n) return [];
    return [write({ ...open, account: roundingAccount, cents: -open.sum })];
  };
  return {
    start: () => [],
    row: ({ date, account, asset, decimals, opening, closing }) => {
      const out: ImportRow[] = [];
      if (open === undefined || open.date !== date || open.asset !== asset) {
        out.push(...close());
        open = { date, asset, number: `KF-${date.replaceAll('-', '')}-${asset}`, sum: 0n };
      }
      const cents = centsHalfEven(closing, decimals) - centsHalfEven(opening, decimals);
      open.sum += cents;
      if (cents !== 0n) out.push(write({ ...open, account, cents }));
      return out;
    },
    end: close,
  };
}

function debit({ cents }: ImportLine): string | null {
  return cents > 0n ? formatAtomic(cents, 2) : null;
}

function credit({ cents }: ImportLine): string | null {
  return cents < 0n ? formatAtomic(-cents, 2) : null;
}

function memo({ asset, date }: ImportLine): string {
  return `Keyfare, ${asset}, ${date}`;
}

function usDate({ date }: ImportLine): string {
  return `${date.slice(5, 7)}/${date.slice(8)}/${date.slice(0, 4)}`;
}

function euDate({ date }: ImportLine): string {
  return `${date.slice(8)}/${date.slice(5, 7)}/${date.slice(0, 4)}`;
}
