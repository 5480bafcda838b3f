import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Played, playHistory, readReports } from './whole-books.js';
import {
  type Books,
  expectBalanced,
  expectExplainedOnce,
  expectPlantedBreaks,
  expectTimingExplained,
  makeAgain,
  makeBooks,
  proveIndependently,
} from './whole-books-proof.js';

let played: Played;
let books: Books;

// `whole-books.soak.test.ts` does the same with more histories, which are larger.
beforeAll(async () => {
  played = await playHistory({ accounts: 5, calls: 300, months: 2, seed: 'whole', paidPercent: 10 });
  books = await makeBooks(played, 6);
}, 480_000);
afterAll(async () => {
  await books.office.service.close();
  await played.close();
}, 60_000);

describe('books that two processes wrote, which were killed at some statements', () => {
  it('balance in each asset, in the movements and in the balances', async () => {
    expect(books.crashes).toBeGreaterThan(0);
    await expectBalanced(books.office.world);
  });

  it('explain each unit that came to a till once, or have it in a break', async () => {
    const { world } = books.office;
    const rules = await world.rows<{ rule: string }>('select distinct rule from billing.match');
    // Invoices are among what the money explains.
    expect(rules.map(({ rule }) => rule)).toContain('invoice-amount');
    await expectExplainedOnce(books.office.world);
  });

  it('have final invoices of periods within months and of other zones, with calls on each', async () => {
    const zones = await books.office.world.rows<{ zone: string }>(
      `select distinct time_zone as zone from billing.invoice where number is not null and receipts > 0
        and (time_zone <> 'UTC' or period_end <> period_start + interval '1 month') order by 1`,
    );
    expect(zones.map(({ zone }) => zone)).toEqual(
      expect.arrayContaining(['America/Los_Angeles', 'Europe/Berlin', 'UTC']),
    );
  });

  it('say what stands between what was earned and what was invoiced, to the micro-dollar', async () => {
    await expectTimingExplained(books.office, played);
  });

  it('have each break that was planted or is due, and no other', async () => {
    await expectPlantedBreaks(books.office.world, played);
  });

  it('are those that books from nothing are of the same log, chain and deeds, to the byte', async () => {
    const again = await makeAgain(played, books);
    try {
      expect(await readReports(again, played.manifest)).toEqual(await readReports(books.office, played.manifest));
    } finally {
      await again.service.close();
    }
  }, 60_000);
});

describe('scripts/prove-books.mjs', () => {
  it('comes to what the books say from log and chain, without their code', async () => {
    const proof = await proveIndependently(books.office);
    expect(proof).toMatchObject({ status: 0, differences: [] });
    expect(proof.figures).toBeGreaterThan(200);
  });

  it.each([
    ['a charge', 'billing.charge', `amount = amount + 1`, `rail = 'x402'`, /^charged /],
    ['the units of a call', 'billing.charge', `units = units + 1, included = included + 1`, `rail = 'key'`, /^units /],
    ['a movement', 'billing.movement', 'amount = amount + 1', `credit like 'revenue:key%'`, /^balance revenue:key/],
    ['a transfer', 'billing.chain_transfer', 'value = value + 1', 'to_address = pay_to', /^received /],
    ['an invoice', 'billing.invoice', `entries_digest = '\\x00'`, `state = 'final'`, /^invoice entries differ /],
    ['the line of an invoice', 'billing.invoice_line', 'amount = amount + 1', `kind = 'overage'`, /^invoice lines /],
  ])('finds that %s is wrong', async (_what, table, change, where, figure) => {
    const { world } = books.office;
    const past = async (...texts: readonly string[]): Promise<void> => {
      await world.sql.transaction(async (tx) => {
        await tx.query({ text: 'set local session_replication_role = replica' });
        for (const text of texts) await tx.query({ text });
      });
    };
    await past(
      `create table kept as select * from ${table}`,
      `update ${table} set ${change} where ctid = (select ctid from ${table} where ${where} limit 1)`,
    );
    const { status, differences } = await proveIndependently(books.office);
    await past(`delete from ${table}`, `insert into ${table} select * from kept`, 'drop table kept');
    expect(status).toBe(1);
    expect(differences.some((difference) => figure.test(difference.figure))).toBe(true);
  });
});
