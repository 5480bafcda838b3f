import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { compilePage } from '@keyfare/fixtures/papers';

it('compiles every block of code in docs/adopting.md under strict settings', () => {
  const { blocks, faults } = compilePage('adopting.md', fileURLToPath(new URL('..', import.meta.url)));
  expect(faults).toBe('');
  expect(blocks).toBeGreaterThan(3);
}, 120_000);
