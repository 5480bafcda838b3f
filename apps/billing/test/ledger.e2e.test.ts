import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tokenCodes } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import * as fc from 'fast-check';
import { type BookedCall, type BookedTransfer, journalsOfCall, journalsOfTransfer } from '../src/ledger/flows.js';
import { type Journal, reversalOf } from '../src/ledger/journal.js';
import { JournalConflict, LedgerService } from '../src/ledger/ledger.service.js';
import { type Books, openBooks, openWorld, type World } from './world.js';

const network = 'eip155:84532';
const payTo = `0x${'a'.repeat(40)}`;
const at = new Date('2026-11-21T10:00:00Z');
const ledger = new LedgerService();
let world: World;
let books: Books;

beforeAll(async () => {
  world = await openWorld({ PAY_TO: payTo });
  books = openBooks(world);
}, 60_000);
afterAll(async () => {
  await books.close();
  await world.close();
});

/** Runs in a transaction of the billing role that is given up at its end, its deferred checks done. */
async function inScratch<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
  const given = new Error('given up');
  let result: T | undefined;
  await books.sql
    .transaction(async (tx) => {
      result = await work(tx);
      await tx.query({ text: 'set constraints all immediate' });
      throw given;
    })
    .catch((error: unknown) => {
      if (error !== given) throw error;
    });
  return result as T;
}

async function contentOf(tx: Sql): Promise<unknown> {
  return tx.query({
    text: `select id, kind, source, reverses, lines, encode(j.digest, 'hex') as digest,
        json_agg(json_build_array(line, account, asset, amount) order by line) as postings
      from billing.journal j join billing.posting on journal_id = id group by id order by id`,
  });
}

const call = fc
  .record({
    number: fc.nat({ max: 6 }),
    byKey: fc.boolean(),
    token: fc.constantFrom(...tokenCodes),
    amount: fc.bigInt({ min: 0n, max: 10n ** 40n }),
  })
  .map(({ number, byKey, token, amount }): BookedCall => {
    const rail = byKey ? 'key' : 'x402';
    return {
      entryId: `${rail}-${number}`,
      rail,
      account: byKey ? `acct_${number}` : null,
      network: byKey ? null : network,
      deferred: number % 2 === 0,
      sku: 'forecast',
      asset: byKey ? 'USD' : token,
      amount,
      occurredAt: at,
    };
  });
const transfer = fc
  .record({
    number: fc.nat({ max: 6 }),
    asset: fc.constantFrom(...tokenCodes),
    claim: fc.constantFrom('settled' as const, 'deferred' as const, 'none' as const),
    value: fc.bigInt({ min: 0n, max: 10n ** 40n }),
  })
  .map(
    ({ number, asset, claim, value }): BookedTransfer => ({
      id: `t${number}`,
      network,
      asset,
      payTo,
      from: '0xb',
      to: payTo,
      value,
      authorized: true,
      claim,
      blockTime: at,
    }),
  );
const callIn = (asset: 'USDC' | 'EURC') =>
  ({
    rail: 'x402',
    account: null,
    network,
    deferred: false,
    sku: 'forecast',
    asset,
    amount: 5n,
    occurredAt: at,
  }) as const;
const keyCall = (entryId: string): Journal => {
  const common = {
    rail: 'key',
    account: 'acct_1',
    network: null,
    deferred: false,
    sku: 'forecast',
    asset: 'USD',
  } as const;
  const [journal] = journalsOfCall({ ...common, entryId, amount: 5n, occurredAt: at });
  if (journal === undefined) throw new Error('no journal');
  return journal;
};
const events = fc.tuple(
  fc.uniqueArray(call, { selector: ({ entryId }) => entryId }),
  fc.uniqueArray(transfer, { selector: ({ id }) => id }),
);

describe('the ledger', () => {
  it('sums to zero in every journal and asset, and posting any prefix again, or undoing it again, changes nothing', async () => {
    const deliveries = fc.array(fc.nat({ max: 20 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(events, deliveries, fc.boolean(), async ([calls, transfers], prefixes, undo) => {
        const journals = [...calls.flatMap(journalsOfCall), ...transfers.flatMap(journalsOfTransfer)];
        await inScratch(async (tx) => {
          await ledger.post(tx, journals);
          if (undo) {
            await ledger.reverse(
              tx,
              journals.map(({ source }) => source),
            );
          }
          const once = await contentOf(tx);
          for (const length of prefixes) {
            await ledger.post(tx, journals.slice(0, length));
            if (undo) {
              await ledger.reverse(
                tx,
                journals.slice(0, length).map(({ source }) => source),
              );
            }
          }
          expect(await contentOf(tx)).toEqual(once);
          const sums = await tx.query({
            text: 'select 1 from billing.posting group by journal_id, asset having sum(amount) <> 0',
          });
          expect(sums).toEqual([]);
          const balances = await tx.query({
            text: 'select account from billing.posting group by account having sum(amount) <> 0',
          });
          expect(undo ? balances : []).toEqual([]);
        });
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('refuses another journal under an id that is taken, and with it everything that was posted beside it', async () => {
    const [first, other] = [keyCall('e1'), keyCall('e2')];
    const dearer: Journal = {
      ...first,
      postings: first.postings.map((each) => ({ ...each, amount: each.amount * 2n })),
    };
    await books.sql.transaction((tx) => ledger.post(tx, [first]));
    await expect(books.sql.transaction((tx) => ledger.post(tx, [other, dearer]))).rejects.toThrow(JournalConflict);
    expect(await world.rows('select id from billing.journal')).toEqual([{ id: first.id }]);
  });

  it('in the database itself: no journal nets one token against another, no account takes two', async () => {
    const euros = journalsOfCall({ ...callIn('EURC'), entryId: 'e20' })[0];
    const coins = journalsOfCall({ ...callIn('USDC'), entryId: 'e21' })[0];
    if (euros === undefined || coins === undefined) throw new Error('no journal');
    await books.sql.transaction((tx) => ledger.post(tx, [euros, coins]));
    const write = (lines: readonly (readonly [account: string, asset: string, amount: number])[]) =>
      books.sql.transaction(async (tx) => {
        const id = '00000000-0000-8000-8000-0000000000ee';
        await tx.query({
          text: `insert into billing.journal (id, kind, source, occurred_at, lines, digest)
            values ($1, 'call', 'call:x', now(), $2, '')`,
          values: [id, lines.length],
        });
        for (const [line, [account, asset, amount]] of lines.entries()) {
          await tx.query({
            text: `insert into billing.posting (journal_id, line, account, asset, amount) values ($1, $2, $3, $4, $5)`,
            values: [id, line, account, asset, amount],
          });
        }
      });
    const [inUsdc, inEurc] = ['revenue:x402:forecast', 'revenue-eurc:x402:forecast'] as const;
    await expect(
      write([
        [inUsdc, 'USDC', 5],
        [inEurc, 'EURC', -5],
      ]),
    ).rejects.toMatchObject({ code: 'KF003' });
    await expect(
      write([
        [inUsdc, 'EURC', 5],
        [inEurc, 'EURC', -5],
      ]),
    ).rejects.toMatchObject({ code: '23503' });
    const sums = await world.rows('select asset, sum(amount)::int as sum from billing.posting group by 1 order by 1');
    expect(sums.map((row) => row['sum'])).toEqual(sums.map(() => 0));
  });

  it('undoes a journal once: a second reversal under another id is refused by the database', async () => {
    const journal = keyCall('e9');
    await books.sql.transaction((tx) => ledger.post(tx, [journal, reversalOf(journal)]));
    const again: Journal = { ...reversalOf(journal), id: '00000000-0000-8000-8000-0000000000ff' };
    await expect(books.sql.transaction((tx) => ledger.post(tx, [again]))).rejects.toMatchObject({ code: '23505' });
  });
});
