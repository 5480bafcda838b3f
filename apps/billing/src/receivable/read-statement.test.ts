import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { readAmount, readDate } from './cells.js';
import { decodeText } from './decode.js';
import { isIban } from './iban.js';
import { type Mapping, mapping } from './mapping.js';
import { readStatement } from './read-statement.js';

const german = mapping.parse({
  decimal: 'comma',
  dateFormat: 'DD.MM.YYYY',
  bookedOn: 'Buchungstag',
  amount: 'Betrag',
  currency: 'Währung',
  payer: 'Auftraggeber',
  reference: ['Verwendungszweck'],
});
const text =
  'Buchungstag;Auftraggeber;Verwendungszweck;Betrag;Währung\r\n30.11.2026;Müller & Söhne;KF-2026-1;1.234,56;USD\r\n';

function read(content: string | Uint8Array, by: Mapping = german) {
  return readStatement(typeof content === 'string' ? Buffer.from(content) : content, by, 'USD');
}

describe('a bank statement', () => {
  const encoded: readonly (readonly [string, Buffer])[] = [
    ['utf-8', Buffer.from(text)],
    ['utf-8', Buffer.from(`\ufeff${text}`)],
    ['utf-16le', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['utf-16le', Buffer.from(text, 'utf16le')],
    ['utf-16be', Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
    ['windows-1252', Buffer.from(text, 'latin1')],
  ];

  it.each(encoded)('in %s says the same as in any other encoding', (encoding, bytes) => {
    const found = read(bytes);
    expect(found).toMatchObject({
      encoding,
      faults: [],
      lines: [
        { line: 2, bookedOn: '2026-11-30', amount: 1_234_560_000n, payer: 'Müller & Söhne', reference: 'KF-2026-1' },
      ],
    });
    expect(found.lines[0]?.digest).toEqual(read(text).lines[0]?.digest);
  });

  it('has the euro sign and quotes of Windows-1252, and bytes that it lacks are refused', () => {
    expect(decodeText(Buffer.from([0x80, 0x93, 0x94, 0xe9]))).toEqual({ text: '€“”é', encoding: 'windows-1252' });
    expect(decodeText(Buffer.from([0xe9, 0x81]))).toBeNull();
  });

  it('has a separator that is found by the header, and lines before it', () => {
    for (const separator of [',', ';', '\t']) {
      const body = `Bank of X\nStatement\nday${separator}sum${separator}what\n2026-11-01${separator}-1.50${separator}"a${separator}b"\n`;
      const by = {
        ...german,
        skipLines: 2,
        decimal: 'point',
        dateFormat: 'YYYY-MM-DD',
        currency: null,
        payer: null,
      } as const;
      expect(read(body, { ...by, bookedOn: 'day', amount: 'sum', reference: ['what'] })).toMatchObject({
        faults: [],
        lines: [{ line: 4, amount: -1_500_000n, payer: '', reference: `a${separator}b`.replace('\t', ' ') }],
      });
    }
  });

  it('may have what came in and what went out in two columns', () => {
    const by = mapping.parse({
      decimal: 'point',
      dateFormat: 'MM/DD/YYYY',
      bookedOn: 'Date',
      credit: 'In',
      debit: 'Out',
      reference: ['Text', 'More'],
    });
    const found = read('Date,In,Out,Text,More\n11/30/2026,"1,000.00",,a,b\n11/30/2026,,5,c,\n11/30/2026,1,1,c,\n', by);
    expect(found.lines).toMatchObject([
      { amount: 1_000_000_000n, reference: 'a b' },
      { amount: -5_000_000n, reference: 'c' },
    ]);
    expect(found.faults).toEqual([{ line: 4, fault: expect.stringContaining('amount') }]);
  });

  it('tells what is wrong by the number of the line', () => {
    const lines = [
      '31.11.2026;a;b;1,00;USD',
      '30.11.2026;a;b;1.00;USD',
      '30.11.2026;a;b;1,00;EUR',
      '30.11.2026;a;b;1,00;USD',
    ];
    const [header] = text.split('\r\n');
    const { faults, lines: good } = read([header, ...lines].join('\n'));
    expect(faults.map(({ line }) => line)).toEqual([2, 3, 4]);
    expect(good).toHaveLength(1);
    expect(read(`${header}\na;b\n`).faults).toEqual([{ line: 2, fault: 'The line has 2 columns, the header 5.' }]);
    expect(read(`${header}\n30.11.2026;"a;b;1,00;USD\n`).faults).toHaveLength(1);
    expect(read('a;b\n1;2\n').faults[0]).toMatchObject({ line: 0, fault: expect.stringContaining('“Buchungstag”') });
    expect(read(Buffer.from([0xe9, 0x81])).faults).toMatchObject([{ line: 0 }]);
    expect(read('').faults).toMatchObject([{ line: 0 }]);
  });

  it('counts equal lines, and no two of its lines have the same digest and count', () => {
    const [header, line] = text.split('\r\n');
    const { lines } = read([header, line, line, line].join('\n'));
    expect(lines.map(({ nth }) => nth)).toEqual([0, 1, 2]);
  });

  it('may be any bytes: they are read or refused, and nothing is thrown', () => {
    const [header] = text.split('\r\n');
    const odd = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary' }).map((tail) => Buffer.from(`${header}\n${tail}`)),
    );
    fc.assert(
      fc.property(odd, (bytes) => {
        const { lines, faults } = read(bytes);
        for (const { amount, bookedOn } of lines) {
          expect(amount % 10_000n).toBe(0n);
          expect(bookedOn).toMatch(/^\d{4}-\d{2}-\d{2}$/);
        }
        expect(faults.length).toBeLessThanOrEqual(100);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a cell', () => {
  it('that an amount was written to gives it back, whatever the mark, the groups and the place of the sign', () => {
    const written = fc.record({
      cents: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
      decimal: fc.constantFrom('point' as const, 'comma' as const),
      group: fc.constantFrom('', 'mark', ' ', '\u00a0', "'"),
      isAfter: fc.boolean(),
    });
    fc.assert(
      fc.property(written, ({ cents, decimal, group, isAfter }) => {
        const [mark, other] = decimal === 'comma' ? [',', '.'] : ['.', ','];
        const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
        const whole = digits.slice(0, -2).replaceAll(/\B(?=(?:\d{3})+$)/gu, group === 'mark' ? other : group);
        const plain = `${whole}${mark}${digits.slice(-2)}`;
        const cell = cents >= 0n ? plain : isAfter ? `${plain}-` : `-${plain}`;
        expect(readAmount(cell, decimal)).toBe(cents * 10_000n);
      }),
    );
  });

  it.each(['', '1.5.0', '1,50', '0.001', '--1', '-1-', '1e3', '12,34.00', 'x', '9'.repeat(16)])(
    'of %j is no amount',
    (cell) => {
      expect(readAmount(cell, 'point')).toBeNull();
    },
  );

  it('is a day of its format, and of the calendar', () => {
    expect(readDate('1.2.2026', 'DD.MM.YYYY')).toBe('2026-02-01');
    expect(readDate('01.02.26', 'DD.MM.YY')).toBe('2026-02-01');
    expect(readDate('20260201', 'YYYYMMDD')).toBe('2026-02-01');
    expect(readDate('02/01/2026', 'MM/DD/YYYY')).toBe('2026-02-01');
    for (const cell of ['29.02.2026', '2026-02-01', '0.1.2026', '01.01.0000'])
      expect(readDate(cell, 'DD.MM.YYYY')).toBeNull();
  });

  it('is an IBAN by its check digits', () => {
    expect(isIban('DE89370400440532013000')).toBe(true);
    expect(isIban('DE88370400440532013000')).toBe(false);
    expect(isIban('DE89 3704 0044 0532 0130 00')).toBe(false);
  });
});
