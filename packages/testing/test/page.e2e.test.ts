import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { compilePage } from '@keyfare/fixtures/papers';

it('compiles every block of code in docs/testing.md under strict settings', () => {
  const { blocks, faults } = compilePage('testing.md', fileURLToPath(new URL('..', import.meta.url)));
  expect(faults).toBe('');
  expect(blocks).toBeGreaterThan(1);
}, 120_000);
