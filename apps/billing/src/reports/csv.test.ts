import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { stringify } from 'csv-stringify/sync';
import * as fc from 'fast-check';
import { csvFormat } from './csv.js';

/** A reader of RFC 4180, written apart from what it reads. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length; ) {
    let cell = '';
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (text[at] === '"' && text[at + 1] !== '"') break;
        if (text[at] === '"') at += 1;
        if (at >= text.length) throw new Error('a quote that does not end');
        cell += text[at];
      }
      at += 1;
    } else {
      for (; at < text.length && !',\r\n"'.includes(text[at] ?? ''); at += 1) cell += text[at];
    }
    row.push(cell);
    if (text.startsWith('\r\n', at)) {
      rows.push(row);
      row = [];
      at += 2;
    } else if (text[at] === ',') at += 1;
    else throw new Error(`what is this at ${at}?`);
  }
  return rows;
}

const columns = ['name', 'amount'];

function formatCsv(rows: readonly Readonly<Record<string, string | number | null>>[]): string {
  return stringify([...rows], csvFormat(columns));
}

describe('a CSV', () => {
  it('has a header, CRLF, and quotes where they are needed (RFC 4180)', () => {
    expect(formatCsv([{ name: 'Acme, "Inc."', amount: '0.001000' }, { name: null }])).toBe(
      'name,amount\r\n"Acme, ""Inc.""",0.001000\r\n,\r\n',
    );
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '=cmd|"/c calc"!A0', '＝1'])(
    'takes the edge off %j',
    (text) => {
      const [, row] = parseCsv(formatCsv([{ name: text, amount: '1' }]));
      expect(row).toEqual([`'${text}`, '1']);
    },
  );

  it('keeps the sign of amounts, and writes for Excel what it reads in a language with a decimal comma', () => {
    const rows = [{ name: '-1.5', amount: '-1.500000' }];
    expect(stringify(rows, csvFormat(columns, ['amount']))).toBe("name,amount\r\n'-1.5,-1.500000\r\n");
    const german = csvFormat(columns, ['amount'], { bom: 'true', separator: 'semicolon', decimal: 'comma' });
    expect(stringify(rows, german)).toBe("\ufeffname;amount\r\n'-1.5;-1,500000\r\n");
    expect(stringify(rows, csvFormat(columns, ['amount'], { decimal: 'comma' }))).toContain(`"-1,500000"`);
    expect(stringify([{ name: 'a\tb' }], csvFormat(['name'], [], { separator: 'tab' }))).toContain('"a\tb"');
  });

  it('is read back as it was written, whatever the cells hold', () => {
    const cell = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', '=', ' ', 'a', "'") }),
      fc.constant(null),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(fc.record({ name: cell, amount: cell })), (rows) => {
        const [header, ...read] = parseCsv(formatCsv(rows));
        expect(header).toEqual(columns);
        const text = (value: string | number | null): string => {
          const plain = String(value ?? '');
          return typeof value === 'string' && /^[=+\-@\t\r＝＋－＠]/.test(plain) ? `'${plain}` : plain;
        };
        expect(read).toEqual(rows.map(({ name, amount }) => [text(name), text(amount)]));
      }),
      { numRuns: 500 },
    );
  });
});
