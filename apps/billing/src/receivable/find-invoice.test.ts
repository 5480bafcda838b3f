import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { candidatesOf, invoiceOfReference, normalNumber, type OpenInvoice } from './find-invoice.js';

function issued(...numbers: readonly string[]): ReadonlyMap<string, OpenInvoice> {
  return new Map(numbers.map((number) => [normalNumber(number), { id: number, number, outstanding: 100n }]));
}

describe('the invoice of a bank payment', () => {
  const parts = fc.tuple(fc.constantFrom('KF', 'AB', 'INV'), fc.constantFrom('2026', '26'), fc.nat({ max: 99_999 }));

  it('is found whatever stands around its number, between its parts, and in which case', () => {
    const mark = fc.constantFrom('-', ' ', ' - ', '/', '.', '');
    const around = fc.constantFrom('', 'invoice', 'Rechnung Nr.', 'thanks,', '#');
    fc.assert(
      fc.property(
        parts,
        fc.tuple(mark, mark),
        fc.tuple(around, around),
        fc.boolean(),
        (number, marks, text, isLower) => {
          const [series, year, sequence] = number;
          const written = `${series}${marks[0]}${year}${marks[1]}${sequence}`;
          const reference = `${text[0]} ${isLower ? written.toLowerCase() : written} ${text[1]}`;
          const found = invoiceOfReference({ reference, amount: 100n }, issued(number.join('-')));
          expect(found).toMatchObject({ invoice: { id: number.join('-') }, amount: 100n });
        },
      ),
    );
  });

  it('is never one whose number is only the beginning or the end of the one that is named', () => {
    fc.assert(
      fc.property(parts, fc.nat({ max: 9 }), ([series, year, sequence], digit) => {
        const reference = `${series}-${year}-${sequence}${digit}`;
        expect(invoiceOfReference({ reference, amount: 1n }, issued(`${series}-${year}-${sequence}`))).toBeNull();
      }),
    );
  });

  it('is none where several are named, and where the one that is named is paid', () => {
    const numbers = issued('KF-1', 'KF-2', 'KF-12');
    expect(invoiceOfReference({ reference: 'KF-1 and KF-2', amount: 1n }, numbers)).toBeNull();
    expect(invoiceOfReference({ reference: 'KF-1 2', amount: 1n }, numbers)).toBeNull();
    const paid = new Map([['KF1', { id: 'a', number: 'KF-1', outstanding: 0n }]]);
    expect(invoiceOfReference({ reference: 'KF-1', amount: 1n }, paid)).toBeNull();
    expect(invoiceOfReference({ reference: 'KF-1', amount: -1n }, numbers)).toBeNull();
  });

  it('takes no more than it is open for, and may be paid in part', () => {
    for (const [amount, taken] of [
      [40n, 40n],
      [100n, 100n],
      [101n, 100n],
    ] as const) {
      expect(invoiceOfReference({ reference: 'KF-1', amount }, issued('KF-1'))).toMatchObject({ amount: taken });
    }
  });

  it('is looked for among a bounded number of texts, however long the reference is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 1_000 }), (reference) => {
        expect(candidatesOf(reference).size).toBeLessThanOrEqual(8 * 500);
      }),
    );
  });
});
