import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { livesOf } from '../intake/payment-life.js';
import type { PaymentRow } from '../intake/payment-of.js';
import {
  type Claim,
  claimed,
  identificationOf,
  journalsOfCall,
  journalsOfRefund,
  journalsOfTransfer,
  journalsOfTurn,
} from '../ledger/flows.js';
import { assertMovements, type Journal, reversalOf } from '../ledger/journal.js';
import { followPayments } from './follow-payments.js';
import { claimsOf, keyName } from './payments.sql.js';

const network = 'eip155:84532';
const at = new Date('2026-11-21T10:00:00Z');

/** What an entry says of the payment `nonce`; `call` is the entry that it names. */
function row(
  outcome: PaymentRow['outcome'],
  nonce: string,
  of: { id: string; call?: string; tx?: string },
): PaymentRow {
  const { id, call = null, tx = null } = of;
  const key = {
    network,
    asset: '0x036cbd53842c5426634e7929541ec2318f3dcf7e',
    payer: '0xb',
    nonce,
    payTo: '0xc',
    amount: 100n,
  };
  const rest = { sku: 'forecast', resourceUrl: 'x', reason: null, issuedAt: at, place: 0n };
  return { ...key, ...rest, entryId: id, outcome, callId: call, transaction: tx };
}

/** Books log and chain as the jobs do, in the order given. */
class Books {
  readonly journals = new Map<string, Journal>();
  readonly rows: PaymentRow[] = [];
  readonly strays: string[] = [];
  readonly #transfers = new Map<string, { readonly nonce: string; claim: Claim; moves: number }>();

  read(rows: readonly PaymentRow[]): void {
    const { turns, strays } = followPayments(rows, livesOf(this.rows));
    this.strays.push(...strays.keys());
    const good = rows.filter(({ entryId }) => !strays.has(entryId));
    this.rows.push(...good);
    for (const each of good) {
      const { entryId, amount, outcome } = each;
      const paid = { entryId, network, asset: 'USDC', amount } as const;
      const call = { ...paid, rail: 'x402', account: null, sku: 'forecast', occurredAt: at } as const;
      if (outcome === 'settled' || outcome === 'deferred') {
        this.#write(journalsOfCall({ ...call, deferred: outcome === 'deferred' }));
      }
      if (outcome === 'refund-due') this.#write(journalsOfRefund({ ...paid, issuedAt: at }));
    }
    this.#write(turns.flatMap(journalsOfTurn));
    for (const [id, seen] of this.#transfers) {
      const to = this.#claim(seen.nonce);
      if (to === seen.claim) continue;
      const { claim: from, moves } = seen;
      this.#write([
        identificationOf({
          id,
          value: 100n,
          blockTime: at,
          debit: claimed(from, { network, asset: 'USDC' }),
          credit: claimed(to, { network, asset: 'USDC' }),
          moves,
        }),
      ]);
      Object.assign(seen, { claim: to, moves: moves + 1 });
    }
  }

  mine(id: string, nonce: string): void {
    const claim = this.#claim(nonce);
    this.#transfers.set(id, { nonce, claim, moves: 0 });
    const transfer = { id, network, asset: 'USDC', payTo: '0xc', from: '0xb', to: '0xc', value: 100n } as const;
    this.#write(journalsOfTransfer({ ...transfer, authorized: true, claim, blockTime: at }));
  }

  orphan(id: string): void {
    if (!this.#transfers.delete(id)) return;
    this.#write([...this.journals.values()].filter(({ source }) => source === `transfer:${id}`).map(reversalOf));
  }

  balances(): Readonly<Record<string, bigint>> {
    const sums = new Map<string, bigint>();
    for (const { debit, credit, amount } of [...this.journals.values()].flatMap(({ movements }) => movements)) {
      sums.set(debit.code, (sums.get(debit.code) ?? 0n) + amount);
      sums.set(credit.code, (sums.get(credit.code) ?? 0n) - amount);
    }
    return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0n).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #claim(nonce: string): Claim {
    return claimsOf(livesOf(this.rows)).get(keyName(row('settled', nonce, { id: '' }))) ?? 'none';
  }

  #write(journals: readonly Journal[]): void {
    for (const journal of journals) {
      assertMovements(journal);
      if (this.journals.has(journal.id)) throw new Error(`${journal.source} was written twice`);
      this.journals.set(journal.id, journal);
    }
  }
}

type Step = (books: Books) => void;

// The log of one payment, in its order: what brings it in, and how it goes on.
const lives = fc
  .record({
    base: fc.constantFrom('settled' as const, 'deferred' as const, 'refund-due' as const),
    later: fc.array(fc.constantFrom('settlement' as const, 'reversed' as const, 'unpaid' as const), { maxLength: 6 }),
    nonce: fc.nat({ max: 4 }).map(String),
  })
  .map(({ base, later, nonce }) => {
    const rows = [row(base, nonce, { id: `b${nonce}`, tx: 't0' })];
    for (const [index, outcome] of later.entries()) {
      rows.push(row(outcome, nonce, { id: `l${nonce}.${index}`, call: `b${nonce}`, tx: `t${Math.floor(index / 2)}` }));
    }
    return rows;
  });
const logs = fc
  .uniqueArray(lives, { selector: ([base]) => base?.nonce })
  .chain((all) => fc.array(fc.nat(), { minLength: 20, maxLength: 20 }).map((picks) => interleave(all, picks)));
// The chain of each payment: its transfer is mined, its block may be lost, and it may be mined again.
const chains = fc
  .uniqueArray(fc.record({ nonce: fc.nat({ max: 5 }).map(String), times: fc.integer({ min: 1, max: 3 }) }), {
    selector: ({ nonce }) => nonce,
  })
  .map((all) =>
    all.flatMap(({ nonce, times }) =>
      Array.from({ length: times }, (_, time): Step[] => [
        ...(time === 0 ? [] : [(books: Books) => books.orphan(`${nonce}/${time - 1}`)]),
        (books) => books.mine(`${nonce}/${time}`, nonce),
      ]).flat(),
    ),
  );

/** Takes from the lists, each in its own order, as the numbers say. */
function interleave<T>(lists: readonly (readonly T[])[], picks: readonly number[]): T[] {
  const left = lists.map((list) => [...list]).filter((list) => list.length > 0);
  const out: T[] = [];
  for (let step = 0; left.length > 0; step += 1) {
    const index = (picks[step % Math.max(picks.length, 1)] ?? 0) % left.length;
    const [next] = left[index]?.splice(0, 1) ?? [];
    if (next !== undefined) out.push(next);
    if (left[index]?.length === 0) left.splice(index, 1);
  }
  return out;
}

function bookAll(steps: readonly Step[]): Books {
  const books = new Books();
  for (const step of steps) step(books);
  return books;
}

describe('log and chain', () => {
  const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 20 });

  it('end in the same balances, whichever of them comes first and however the log is cut into batches', () => {
    fc.assert(
      fc.property(logs, chains, picks, (rows, chain, order) => {
        const expected = bookAll([(books) => books.read(rows), ...chain]);
        const oneByOne = rows.map(
          (each): Step =>
            (books) =>
              books.read([each]),
        );
        for (const steps of [
          [...chain, (books: Books) => books.read(rows)],
          [...oneByOne, ...chain],
          interleave([oneByOne, chain], order),
        ]) {
          const found = bookAll(steps);
          expect(found.balances()).toEqual(expected.balances());
          expect(found.strays).toEqual(expected.strays);
        }
        const sum = Object.values(expected.balances()).reduce((total, amount) => total + amount, 0n);
        expect(sum).toBe(0n);
      }),
      { numRuns: 500 },
    );
  });

  it('that agree leave no receivable: all that moved is in the wallet, and nothing is unidentified', () => {
    const books = bookAll([
      (each) => each.read([row('settled', '1', { id: 'a', tx: 't' }), row('deferred', '2', { id: 'b' })]),
      (each) => each.mine('x', '1'),
      (each) => each.mine('y', '2'),
      (each) => each.read([row('settlement', '2', { id: 'c', call: 'b', tx: 't' })]),
      (each) => each.mine('z', '3'),
      (each) => each.read([row('refund-due', '3', { id: 'd', tx: 't' })]),
    ]);
    expect(books.balances()).toEqual({
      'refunds-due': -100n,
      'revenue:x402:forecast': -200n,
      [`usdc:${network}:0xc`]: 300n,
    });
  });
});

describe('an entry that names another', () => {
  const base = row('deferred', '1', { id: 'b' });
  const settled = row('settlement', '1', { id: 's', call: 'b', tx: 't' });

  it.each<[string, readonly PaymentRow[]]>([
    ['of which the books know nothing', [row('settlement', '1', { id: 'x', call: 'gone', tx: 't' })]],
    ['of another payment', [base, row('settlement', '2', { id: 'x', call: 'b', tx: 't' })]],
    ['that was told to be settled by this transaction before', [base, settled, { ...settled, entryId: 'x' }]],
    [
      'that was given up before',
      [base, row('unpaid', '1', { id: 'u', call: 'b' }), row('unpaid', '1', { id: 'x', call: 'b' })],
    ],
    ['that was paid, and gives it up', [base, settled, row('unpaid', '1', { id: 'x', call: 'b' })]],
    ['that was never settled, and reverses that', [base, row('reversed', '1', { id: 'x', call: 'b', tx: 't' })]],
    [
      'and reverses another transaction than settled it',
      [base, settled, row('reversed', '1', { id: 'x', call: 'b', tx: 'other' })],
    ],
  ])('%s is stray: it changes nothing', (_title, rows) => {
    const { strays } = followPayments(rows, new Map());
    expect([...strays.keys()]).toEqual(['x']);
  });

  it('may tell of another transaction that settled it, and of its fall', () => {
    const rows = [
      base,
      settled,
      row('settlement', '1', { id: 's2', call: 'b', tx: 't2' }),
      row('reversed', '1', { id: 'r', call: 'b', tx: 't2' }),
      row('settlement', '1', { id: 's3', call: 'b', tx: 't' }),
    ];
    expect(followPayments(rows, new Map()).strays.size).toBe(0);
    expect(livesOf(rows).get('b')).toMatchObject({ state: 'collected', transaction: 't' });
  });
});
