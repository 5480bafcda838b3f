import { formatAtomic } from './decimal.js';
import type { Encoder } from './encoder.js';

/** One line of a journal. Lines come in order of their journals. */
export interface LedgerLine {
  /** Null: the balances that the accounts had before the first journal. */
  readonly journal: string | null;
  readonly kind: string;
  readonly source: string;
  /** The date that the journal has in the books, and when what it records happened. */
  readonly effectiveAt: Date;
  readonly occurredAt: Date;
  readonly account: string;
  readonly type: 'asset' | 'liability' | 'equity' | 'income' | 'expense';
  readonly asset: string;
  /** Debits are more than zero. */
  readonly amount: bigint;
}

/** The first part of an account's name tells hledger its type (hledger manual, "Account types"). */
const roots = { asset: 'Assets', liability: 'Liabilities', equity: 'Equity', income: 'Income', expense: 'Expenses' };

/**
 * The journal format of hledger (https://hledger.org/1.25/hledger.html, "Journal format"): one transaction for each
 * journal, its id as the code, and before them one of the opening balances. Every amount has all decimals of its asset,
 * so hledger compares sums to the smallest unit.
 */
export function hledgerEncoder(decimalsOf: Readonly<Record<string, number>>): Encoder<LedgerLine, string> {
  let last: string | null | undefined;
  return {
    start: () =>
      Object.entries(decimalsOf).map(
        ([asset, decimals]) => `commodity ${formatAtomic(10n ** BigInt(decimals), decimals)} ${asset}\n`,
      ),
    row: (line) => {
      const posting = postingOf(line, decimalsOf);
      if (last !== undefined && line.journal === last) return [posting];
      last = line.journal;
      return [headOf(line), posting];
    },
    end: () => [],
  };
}

/** The account's name in the hledger text. No two codes have the same. */
export function hledgerAccount({ type, account }: Pick<LedgerLine, 'type' | 'account'>): string {
  return `${roots[type]}:${account.split(':').map(plain).join(':')}`;
}

function headOf({ journal, kind, source, effectiveAt, occurredAt }: LedgerLine): string {
  const date = effectiveAt.toISOString().slice(0, 10);
  if (journal === null) return `\n${date} * opening balances\n`;
  return `\n${date} * (${journal}) ${plain(kind)} | ${plain(source)}\n    ; occurred: ${occurredAt.toISOString()}\n`;
}

function postingOf(line: LedgerLine, decimalsOf: Readonly<Record<string, number>>): string {
  const decimals = decimalsOf[line.asset];
  if (decimals === undefined) throw new RangeError(`the decimals of ${line.asset} are not known`);
  return `    ${hledgerAccount(line)}  ${formatAtomic(line.amount, decimals)} ${line.asset}\n`;
}

/** Percent-encodes what hledger reads as something else: spaces, `;`, `|`, brackets, line ends; and an empty part. */
function plain(text: string): string {
  if (text === '') return '%';
  return text
    .replaceAll(/[^\w.:@/+-]/gu, encodeURIComponent)
    .replaceAll(/[!'()*~]/g, (it: string) => `%${it.charCodeAt(0).toString(16).toUpperCase()}`);
}
