import { describe, expect, it } from '@keyfare/jest-preset/globals';
import stringWidth from 'string-width';
import { cellText, cut, TableWriter } from './table.js';

const columns = [
  { heading: 'ID', cell: (row: { id: string }) => row.id },
  { heading: 'NAME', cell: (row: { name: unknown }) => row.name },
  { heading: 'N', cell: (row: { n: number }) => row.n, alignsRight: true },
] as const;
type Row = { id: string; name: unknown; n: number };

function lines(rows: readonly Row[], width?: number): readonly string[] {
  return new TableWriter<Row>([...columns], { width }).lines(rows);
}

describe('a table', () => {
  it('is as wide as its cells, with figures at the right and nothing at the end of a line', () => {
    expect(
      lines([
        { id: 'a', name: 'Ann', n: 5 },
        { id: 'bcd', name: null, n: 1200 },
      ]),
    ).toEqual(['ID   NAME     N', 'a    Ann      5', 'bcd  -     1200']);
  });

  it.each([20, 30, 47, 80])('never has a line of more than the %i columns of its terminal, in any script', (width) => {
    const wide = [
      { id: 'x'.repeat(60), name: '東京'.repeat(30), n: 1 },
      { id: 'y', name: '👩‍👩‍👧'.repeat(40), n: 123_456 },
    ];
    for (const line of lines(wide, width)) expect(stringWidth(line)).toBeLessThanOrEqual(width);
  });

  it('is not cut where it goes to a file or a pipe', () => {
    const name = 'n'.repeat(500);
    expect(lines([{ id: 'a', name, n: 1 }])[1]).toContain(name);
  });

  it('goes on with the widths of its first part, and has its headings once', () => {
    const table = new TableWriter<Row>([...columns]);
    const first = table.lines([{ id: 'abcdef', name: 'Ann', n: 5 }]);
    expect([...first, ...table.lines([{ id: 'b', name: 'Bob', n: 6 }])]).toEqual([
      'ID      NAME  N',
      'abcdef  Ann   5',
      'b       Bob   6',
    ]);
  });

  it('has its headings also where there is no row', () => {
    expect(lines([])).toEqual(['ID  NAME  N']);
  });
});

it('cuts a text between characters as people see them, and marks the cut', () => {
  expect([cut('abcdef', 4), cut('abcd', 4), cut('東京都', 4), cut('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 4)]).toEqual([
    'abc…',
    'abcd',
    '東…',
    '👩‍👩‍👧…',
  ]);
});

it('shows nothing as -, lists with commas, and false and 0 as what they are', () => {
  expect([null, undefined, '', [], ['a', 'b'], false, 0, { a: 1 }].map(cellText)).toEqual([
    '-',
    '-',
    '-',
    '-',
    'a, b',
    'false',
    '0',
    '{"a":1}',
  ]);
});
