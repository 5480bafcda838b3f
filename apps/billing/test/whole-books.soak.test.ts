import { randomBytes } from 'node:crypto';
import { expect, it } from '@keyfare/jest-preset/globals';
import { playHistory } from './whole-books.js';
import { expectWhole, makeBooks } from './whole-books-proof.js';

// A failure names its history: KEYFARE_SOAK_SEED makes it again.
const given = process.env['KEYFARE_SOAK_SEED'];
// The same for each commit: what chance alone finds is found by `npm run soak`, and stops nobody's change.
const fixed = ['5eed0001', '5eed000f'];
const random = Array.from({ length: 4 }, () => randomBytes(4).toString('hex'));
const seeds = given === undefined ? (process.env['KEYFARE_SOAK_SHORT'] === '1' ? fixed : random) : [given];

it.each(seeds)(
  'books of the history %s are whole, and those from nothing are the same',
  async (seed) => {
    const size = Number.parseInt(Buffer.from(seed).toString('hex').slice(-2), 16);
    const options = {
      accounts: 4 + (size % 9),
      calls: 800 + 10 * size,
      months: 1 + (size % 4),
      paidPercent: 4 + (size % 17),
    };
    const played = await playHistory({ ...options, seed });
    try {
      const books = await makeBooks(played, 12);
      expect(books.crashes).toBeGreaterThan(0);
      try {
        await expectWhole(played, books);
      } finally {
        await books.office.service.close();
      }
    } finally {
      await played.close();
    }
  },
  600_000,
);
