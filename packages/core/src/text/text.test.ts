import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { identifierText, nameText, noteText, scopeText } from './index.js';

const takes = (schema: { safeParse(value: unknown): { success: boolean } }, value: unknown): boolean =>
  schema.safeParse(value).success;

describe('texts at the edge', () => {
  it.each(['Acme', 'Å', '東京 株式会社', 'a'.repeat(200), 'Müller & Söhne GmbH', '😀'])('%j is a name', (name) => {
    expect(takes(nameText, name)).toBe(true);
  });

  it.each([
    '',
    ' ',
    ' a',
    'a ',
    'a'.repeat(201),
    'a\nb',
    'a\u0000b',
    'a\u001b[31m',
    'a\u0085b',
    'a\u2028b',
    '\ud800',
    'a\udc00b',
    7,
    null,
    ['Acme'],
  ])('%j is none', (name) => {
    expect(takes(nameText, name)).toBe(false);
  });

  it('a note may have lines, and no other control character', () => {
    expect(takes(noteText, 'called them\n\tagain tomorrow')).toBe(true);
    for (const note of ['', ' \n', 'a\u0000', 'a\r\nb', '\ud800', 'a'.repeat(2_001)]) {
      expect(takes(noteText, note)).toBe(false);
    }
  });

  it('an id is printable ASCII', () => {
    expect(takes(identifierText, 'acct_9f-Z')).toBe(true);
    for (const id of ['', 'a b', 'a\u0000', 'é', 'a'.repeat(129)]) expect(takes(identifierText, id)).toBe(false);
  });

  it('a scope is a name and never a pattern', () => {
    expect(takes(scopeText, 'weather/forecast.v1')).toBe(true);
    for (const scope of ['', '*', '.*', '(a+)+$', 'a*', '^a', 'a b', 'a'.repeat(65)]) {
      expect(takes(scopeText, scope)).toBe(false);
    }
  });
});
