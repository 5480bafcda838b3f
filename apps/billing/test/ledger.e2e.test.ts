import { tokenCodes } from '@keyfare/core/money';
import type { Sql } from '@keyfare/db/sql';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { revenue, x402Receivable } from '../src/ledger/chart.js';
import { type BookedCall, type BookedTransfer, journalsOfCall, journalsOfTransfer } from '../src/ledger/flows.js';
import { compoundJournal, type Journal, reversalOf } from '../src/ledger/journal.js';
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

/** Runs in a transaction of the billing role that is given up at its end. */
async function inScratch<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
  const given = new Error('given up');
  let result: T | undefined;
  await books.sql
    .transaction(async (tx) => {
      result = await work(tx);
      throw given;
    })
    .catch((error: unknown) => {
      if (error !== given) throw error;
    });
  return result as T;
}

async function contentOf(tx: Sql): Promise<unknown> {
  return tx.query({
    text: `select id, kind, source, reverses, movements, encode(j.digest, 'hex') as digest,
        json_agg(json_build_array(line, account, asset, amount) order by line) as postings
      from billing.journal j join billing.ledger_line on journal_id = id group by id order by id`,
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
            text: 'select 1 from billing.ledger_line group by journal_id, asset having sum(amount) <> 0',
          });
          expect(sums).toEqual([]);
          const balances = await tx.query({
            text: 'select account from billing.balance where debits <> credits',
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
      movements: first.movements.map((each) => ({ ...each, amount: each.amount * 2n })),
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
    const write = (debit: string, credit: string, asset: string) =>
      books.sql.query({
        text: `with written as (
            insert into billing.journal (id, kind, source, occurred_at, effective_at, movements, digest)
            values ('00000000-0000-8000-8000-0000000000ee', 'call', 'call:x', now(), now(), 1, '') returning id)
          insert into billing.movement select id, 0, $1, $2, $3, 5, now() from written`,
        values: [debit, credit, asset],
      });
    const [inUsdc, inEurc] = ['revenue:x402:forecast', 'revenue-eurc:x402:forecast'] as const;
    for (const asset of ['USDC', 'EURC', 'GBP']) {
      await expect(write(inUsdc, inEurc, asset)).rejects.toMatchObject({ code: '23503' });
    }
    const sums = await world.rows(
      'select asset, sum(amount)::int as sum from billing.ledger_line group by 1 order by 1',
    );
    expect(sums.map((row) => row['sum'])).toEqual(sums.map(() => 0));
  });

  it('undoes a journal once: a second reversal under another id is refused by the database', async () => {
    const journal = keyCall('e9');
    await books.sql.transaction((tx) => ledger.post(tx, [journal, reversalOf(journal)]));
    const again: Journal = { ...reversalOf(journal), id: '00000000-0000-8000-8000-0000000000ff' };
    await expect(books.sql.transaction((tx) => ledger.post(tx, [again]))).rejects.toMatchObject({ code: '23505' });
  });

  it('keeps balances by account and day with two writers, and dates nothing into a month that is locked meanwhile', async () => {
    const step = fc.record({
      day: fc.nat({ max: 180 }),
      amounts: fc.array(fc.bigInt({ min: 1n, max: 10n ** 30n }), { minLength: 1, maxLength: 3 }),
      asset: fc.constantFrom(...tokenCodes),
    });
    const post = async (journals: readonly Journal[]) => books.sql.transaction((tx) => ledger.post(tx, journals));
    const datedBefore = async (end: Date) =>
      world.rows('select id from billing.journal where effective_at < $1 order by id', [end]);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), fc.nat({ max: 5 }), async (steps, month) => {
        run += 1;
        await world.rows('update billing.accounting_month set locked_at = null');
        const journals = steps.map(({ day, amounts, asset }, index) =>
          compoundJournal({
            kind: 'call',
            source: `call:p${run}-${index}`,
            occurredAt: new Date(Date.UTC(2026, 0, 1 + day, 23, 59, 59, 999)),
            movements: amounts.map((amount, nth) => ({
              debit: x402Receivable(network, asset),
              credit: revenue('x402', `sku-${(day + nth) % 4}`, asset),
              amount,
            })),
          }),
        );
        const batch = (nth: number) => journals.filter((_, index) => index % 4 === nth);
        await Promise.all([post(batch(0)), post(batch(1))]);
        const end = new Date(Date.UTC(2026, month + 1));
        const lock = async () => {
          await world.rows(
            `insert into billing.accounting_month values ($1::date, now(), 'op')
              on conflict (month) do update set locked_at = now()`,
            [new Date(Date.UTC(2026, month)).toISOString().slice(0, 10)],
          );
          return datedBefore(end);
        };
        const [dated] = await Promise.all([lock(), post(batch(2)), post(batch(3))]);
        const undone = [...batch(0), ...batch(2)].map(({ source }) => source);
        await books.sql.transaction((tx) => ledger.reverse(tx, undone));
        expect(await datedBefore(end)).toEqual(dated);
        const wrong = await world.rows(`
          select account from (
            select account, sum(amount) as lines, 0 as total, 0 as days from billing.ledger_line group by 1
            union all select account, 0, debits - credits, 0 from billing.balance
            union all select account, 0, 0, debits - credits from billing.balance_day) as sums
          group by account having sum(lines) <> sum(total) or sum(lines) <> sum(days)`);
        expect(wrong).toEqual([]);
        const uneven = 'select asset from billing.balance group by asset having sum(debits) <> sum(credits)';
        expect(await world.rows(uneven)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  }, 180_000);

  it('dates what happened in a locked month, or before one, at the start of the next, and its reversal too', async () => {
    await world.rows(`update billing.accounting_month set locked_at = null`);
    await world.rows(`insert into billing.accounting_month values ('2026-11-01', now(), 'op')
      on conflict (month) do update set locked_at = now()`);
    const late = { ...keyCall('e30'), occurredAt: new Date('2026-09-03T00:00:00Z') };
    await books.sql.transaction((tx) => ledger.post(tx, [late, reversalOf(late)]));
    const dates = await world.rows(`select distinct occurred_at, effective_at from billing.journal where source = $1`, [
      late.source,
    ]);
    expect(dates).toEqual([{ occurred_at: late.occurredAt, effective_at: new Date('2026-12-01T00:00:00Z') }]);
  });
});
