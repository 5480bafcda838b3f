import { expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import stringWidth from 'string-width';
import { wrapText } from './wrap.js';

const words = fc.array(fc.stringMatching(/^[a-z東京]{1,12}$/u), { minLength: 1, maxLength: 40 });

it('wraps at blanks, loses no word, and no line of several words is wider than it may be', () => {
  fc.assert(
    fc.property(words, fc.integer({ min: 1, max: 60 }), (given, width) => {
      const lines = wrapText(given.join(' '), width);
      expect(lines.join(' ')).toBe(given.join(' '));
      expect(lines.filter((line) => line.includes(' ') && stringWidth(line) > width)).toEqual([]);
    }),
  );
});

it('does not wrap where there is no terminal', () => {
  expect(wrapText('a '.repeat(200), undefined)).toHaveLength(1);
});
