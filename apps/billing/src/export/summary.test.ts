import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { centsHalfEven, formatAtomic } from './decimal.js';
import {
  type ImportRow,
  importColumns,
  type Program,
  programs,
  roundingAccount,
  type SummaryRow,
  summaryEncoder,
} from './summary.js';

function encode(program: Program, rows: readonly SummaryRow[]): readonly ImportRow[] {
  const encoder = summaryEncoder(program, 'Tax Exempt');
  return [...encoder.start(), ...rows.flatMap((row) => [...encoder.row(row)]), ...encoder.end()];
}

/** Cents by account, as an importing program adds them up; debits are more than zero. */
function totals(rows: readonly ImportRow[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const row of rows) {
    const account = row['AccountName'] ?? row['*AccountCode'] ?? row['Account'] ?? '';
    const cents = (text: string | null | undefined): bigint => BigInt((text ?? '0').replace('.', ''));
    const amount =
      cents(row['*Amount']) + cents(row['Debits'] ?? row['Debit']) - cents(row['Credits'] ?? row['Credit']);
    sums.set(account, (sums.get(account) ?? 0n) + amount);
  }
  return sums;
}

const day = (date: string, account: string, [opening, closing]: readonly [bigint, bigint]): SummaryRow => {
  return { date, account, asset: 'USD', decimals: 6, opening, closing };
};

describe('a journal for another program', () => {
  const rows = [
    day('2026-11-01', 'revenue', [0n, -1_000_005_000n]),
    day('2026-11-01', 'unbilled-receivable', [0n, 1_000_005_000n]),
    day('2026-11-02', 'revenue', [-1_000_005_000n, -1_000_010_000n]),
  ];

  it('has the columns, dates and sides that QuickBooks Online reads', () => {
    expect(importColumns('quickbooks').columns).toEqual(Object.keys(encode('quickbooks', rows)[0] ?? {}));
    expect(encode('quickbooks', rows)).toMatchObject([
      {
        JournalNo: 'KF-20261101-USD',
        JournalDate: '11/01/2026',
        AccountName: 'revenue',
        Debits: null,
        Credits: '1000.00',
      },
      { JournalNo: 'KF-20261101-USD', AccountName: 'unbilled-receivable', Debits: '1000.00', Credits: null },
      { JournalNo: 'KF-20261102-USD', AccountName: 'revenue', Credits: '0.01' },
      { JournalNo: 'KF-20261102-USD', AccountName: roundingAccount, Debits: '0.01' },
    ]);
  });

  it('has the columns, dates and signs that Xero reads', () => {
    expect(importColumns('xero').amounts).toEqual(['*Amount']);
    expect(encode('xero', rows)[0]).toEqual({
      '*Narration': 'KF-20261101-USD',
      '*Date': '01/11/2026',
      Description: 'Keyfare, USD, 2026-11-01',
      '*AccountCode': 'revenue',
      '*TaxRate': 'Tax Exempt',
      '*Amount': '-1000.00',
    });
  });

  it('has the columns that NetSuite reads', () => {
    expect(encode('netsuite', rows)[1]).toEqual({
      'External ID': 'KF-20261101-USD',
      Date: '11/01/2026',
      Currency: 'USD',
      Memo: 'Keyfare, USD, 2026-11-01',
      Account: 'unbilled-receivable',
      Debit: '1000.00',
      Credit: null,
    });
  });

  it('balances for each date, and adds up to the rounded balance of each account, whatever the books hold', () => {
    const movement = fc.record({
      date: fc.integer({ min: 1, max: 9 }).map((n) => `2026-11-0${n}`),
      debit: fc.constantFrom('a', 'b', 'c'),
      credit: fc.constantFrom('d', 'e'),
      amount: fc.bigInt({ min: 1n, max: 10n ** 12n }),
    });
    fc.assert(
      fc.property(
        fc.array(movement),
        fc.constantFrom(...programs),
        fc.constantFrom(6, 18),
        (movements, program, decimals) => {
          const balances = new Map<string, bigint>();
          const summary: SummaryRow[] = [];
          for (const date of [...new Set(movements.map((one) => one.date))].toSorted()) {
            const before = new Map(balances);
            for (const { debit, credit, amount } of movements.filter((one) => one.date === date)) {
              balances.set(debit, (balances.get(debit) ?? 0n) + amount);
              balances.set(credit, (balances.get(credit) ?? 0n) - amount);
            }
            for (const [account, closing] of balances) {
              const opening = before.get(account) ?? 0n;
              if (closing !== opening) summary.push({ date, account, asset: 'USD', decimals, opening, closing });
            }
          }
          const written = encode(program, summary);
          const numbers = new Set(written.map((row) => Object.values(row)[0]));
          for (const number of numbers) {
            const journal = written.filter((row) => Object.values(row)[0] === number);
            expect([...totals(journal).values()].reduce((sum, amount) => sum + amount, 0n)).toBe(0n);
          }
          const sums = totals(written);
          for (const [account, balance] of balances)
            expect(sums.get(account) ?? 0n).toBe(centsHalfEven(balance, decimals));
        },
      ),
    );
  });
});

describe('a decimal', () => {
  it('has all decimals of its asset, and rounds a half to the even cent', () => {
    expect(formatAtomic(-1n, 18)).toBe('-0.000000000000000001');
    expect(formatAtomic(1_500_000n, 6)).toBe('1.500000');
    expect(formatAtomic(7n, 0)).toBe('7');
    expect([5_000n, 15_000n, 15_001n, -5_000n, -15_000n].map((one) => centsHalfEven(one, 6))).toEqual([
      0n,
      2n,
      2n,
      0n,
      -2n,
    ]);
    expect(() => centsHalfEven(1n, 1)).toThrow(RangeError);
  });
});
