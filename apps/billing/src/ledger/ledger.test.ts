import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { deriveId } from '../derive-id.js';
import { cash, revenue, unidentifiedReceipts, x402Receivable } from './chart.js';
import { type BookedCall, type BookedTransfer, identificationOf, journalsOfCall, journalsOfTransfer } from './flows.js';
import { assertBalanced, digestOf, type Journal, journalOf, reversalOf } from './journal.js';

const network = 'eip155:84532';
const payTo = '0xa';
const at = new Date('2026-11-21T10:00:00Z');
const call: BookedCall = {
  entryId: 'e1',
  rail: 'x402',
  account: null,
  network,
  sku: 'forecast',
  amount: 1_000n,
  occurredAt: at,
};
const transfer: BookedTransfer = {
  id: 't1',
  network,
  payTo,
  from: '0xb',
  to: payTo,
  value: 1_000n,
  authorized: true,
  recorded: true,
  blockTime: at,
};

/** What the journals come to, by account; an account at zero is left out. */
function balancesOf(journals: readonly Journal[]): Record<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { account, amount } of journals.flatMap(({ postings }) => postings)) {
    sums.set(account.code, (sums.get(account.code) ?? 0n) + amount);
  }
  return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0n).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a journal', () => {
  it('has the id of what it records, a UUID, and so can be written only once', () => {
    const [one] = journalsOfCall(call);
    expect(one?.id).toBe(journalsOfCall({ ...call, amount: 2n })[0]?.id);
    expect(one?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(deriveId('a')).not.toBe(deriveId('b'));
  });

  it('has another digest when anything of it is another', () => {
    const journal = journalOf({
      kind: 'call',
      source: 'call:e1',
      occurredAt: at,
      debit: x402Receivable(network),
      credit: revenue('x402', 'forecast'),
      amount: 5n,
    });
    const others: Journal[] = [
      { ...journal, kind: 'opening' },
      { ...journal, source: 'call:e2' },
      { ...journal, occurredAt: new Date(at.getTime() + 1) },
      { ...journal, reverses: 'x' },
      { ...journal, postings: journal.postings.map((posting) => ({ ...posting, amount: posting.amount * 2n })) },
      { ...journal, postings: journal.postings.toReversed() },
    ];
    const digests = [journal, ...others].map((each) => digestOf(each).toString('hex'));
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('that does not balance in each asset is refused, and so is one of nothing', () => {
    const [journal] = journalsOfCall(call);
    if (journal === undefined) throw new Error('no journal');
    expect(() => assertBalanced(journal)).not.toThrow();
    const usd = { account: revenue('key', 'forecast'), amount: -1_000n };
    for (const postings of [
      journal.postings.slice(1),
      [],
      [...journal.postings, { account: cash(network, payTo), amount: 0n }],
      [journal.postings[0], usd],
    ]) {
      expect(() => assertBalanced({ ...journal, postings: postings as Journal['postings'] })).toThrow(RangeError);
    }
    expect(() =>
      journalOf({ ...call, kind: 'call', source: 's', debit: usd.account, credit: usd.account, amount: 0n }),
    ).toThrow(RangeError);
  });

  it('and its reversal come to nothing', () => {
    const journals = [...journalsOfCall(call), ...journalsOfTransfer(transfer)];
    expect(balancesOf([...journals, ...journals.map(reversalOf)])).toEqual({});
  });
});

describe('the flows', () => {
  it('a paid call is a receivable until its transfer comes, and then money', () => {
    const booked = journalsOfCall(call);
    expect(balancesOf(booked)).toEqual({ 'revenue:x402:forecast': -1_000n, [`x402-receivable:${network}`]: 1_000n });
    expect(balancesOf([...booked, ...journalsOfTransfer(transfer)])).toEqual({
      'revenue:x402:forecast': -1_000n,
      [`usdc:${network}:${payTo}`]: 1_000n,
    });
  });

  it('a call by key is owed by its account, in dollars; one that the plan includes is no journal', () => {
    const byKey: BookedCall = { ...call, rail: 'key', account: 'acct_1', network: null, amount: 250n };
    expect(balancesOf(journalsOfCall(byKey))).toEqual({
      'revenue:key:forecast': -250n,
      'unbilled-receivable:acct_1': 250n,
    });
    expect(journalsOfCall({ ...byKey, amount: 0n })).toEqual([]);
  });

  it('money that nothing explains is a liability', () => {
    expect(balancesOf(journalsOfTransfer({ ...transfer, recorded: false }))).toEqual({
      [unidentifiedReceipts.code]: -1_000n,
      [`usdc:${network}:${payTo}`]: 1_000n,
    });
  });

  it('a transfer out is a withdrawal; the wallet’s plain transfer to itself moves nothing', () => {
    expect(
      balancesOf(journalsOfTransfer({ ...transfer, from: payTo, to: '0xb', authorized: false, recorded: false })),
    ).toEqual({
      'treasury-out': 1_000n,
      [`usdc:${network}:${payTo}`]: -1_000n,
    });
    expect(journalsOfTransfer({ ...transfer, from: payTo, authorized: false })).toEqual([]);
  });

  it('the wallet that pays itself settles its call and has not a cent more', () => {
    expect(balancesOf([...journalsOfCall(call), ...journalsOfTransfer({ ...transfer, from: payTo })])).toEqual({
      'revenue:x402:forecast': -1_000n,
      'treasury-out': 1_000n,
    });
  });
});

/** Books events in the order given, by the rule that the jobs follow: each looks for what came before it. */
function book(events: readonly Event[]): readonly Journal[] {
  const journals = new Map<string, Journal>();
  const write = (written: readonly Journal[]): void => written.forEach((journal) => journals.set(journal.id, journal));
  const entries = new Set<string>();
  const transfers = new Map<string, BookedTransfer>();
  for (const event of events) {
    if (event.kind === 'entry') {
      if (entries.has(event.nonce)) continue;
      entries.add(event.nonce);
      write(journalsOfCall({ ...call, entryId: event.nonce, amount: event.amount }));
      for (const [, waiting] of transfers) {
        const journal = [...journals.values()].find(({ source }) => source === `transfer:${waiting.id}`);
        if (waiting.id.startsWith(`${event.nonce}/`) && journal?.kind === 'unidentified')
          write([identificationOf(waiting)]);
      }
    } else if (event.kind === 'transfer') {
      if (transfers.has(event.id)) continue;
      const recorded = entries.has(event.nonce);
      const seen: BookedTransfer = { ...transfer, id: event.id, value: event.amount, recorded };
      transfers.set(event.id, seen);
      write(journalsOfTransfer(seen));
    } else if (transfers.delete(event.id)) {
      const undone = new Set([...journals.values()].map(({ reverses }) => reverses));
      const own = [...journals.values()].filter(
        ({ source, reverses }) => source === `transfer:${event.id}` && reverses === null,
      );
      write(own.filter(({ id }) => !undone.has(id)).map(reversalOf));
    }
  }
  return [...journals.values()];
}

type Event =
  | { readonly kind: 'entry'; readonly nonce: string; readonly amount: bigint }
  | { readonly kind: 'transfer'; readonly nonce: string; readonly id: string; readonly amount: bigint }
  | { readonly kind: 'orphan'; readonly id: string };

describe('the order of events', () => {
  const payment = fc.record({
    nonce: fc.integer({ min: 0, max: 5 }).map(String),
    amount: fc.bigInt({ min: 1n, max: 1_000_000n }),
    entry: fc.boolean(),
    mined: fc.boolean(),
    /** The block of the first transfer is lost, and the transaction may be mined again. */
    orphaned: fc.boolean(),
    minedAgain: fc.boolean(),
  });

  /** The events of payments; an orphan event comes after its transfer, for the rest any order will do. */
  const events = fc
    .uniqueArray(payment, { selector: ({ nonce }) => nonce })
    .map((payments) =>
      payments.flatMap(({ nonce, amount, entry, mined, orphaned, minedAgain }): Event[][] => [
        entry ? [{ kind: 'entry', nonce, amount }] : [],
        mined
          ? [
              { kind: 'transfer', nonce, id: `${nonce}/1`, amount },
              ...(orphaned ? [{ kind: 'orphan', id: `${nonce}/1` } as const] : []),
            ]
          : [],
        mined && orphaned && minedAgain ? [{ kind: 'transfer', nonce, id: `${nonce}/2`, amount }] : [],
      ]),
    );

  /** Interleaves the lists, each in its own order, as the numbers say. */
  const interleave = (lists: readonly (readonly Event[])[], picks: readonly number[]): Event[] => {
    const left = lists.map((list) => [...list]).filter((list) => list.length > 0);
    const out: Event[] = [];
    for (let step = 0; left.length > 0; step += 1) {
      const index = (picks[step % Math.max(picks.length, 1)] ?? 0) % left.length;
      const [next] = left[index]?.splice(0, 1) ?? [];
      if (next !== undefined) out.push(next);
      if (left[index]?.length === 0) left.splice(index, 1);
    }
    return out;
  };

  it('makes no difference to the balances, and neither does a second delivery', () => {
    const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(events, picks, picks, (lists, one, other) => {
        const first = interleave(lists, one);
        const expected = balancesOf(book(first));
        expect(balancesOf(book(interleave(lists, other)))).toEqual(expected);
        expect(balancesOf(book([...first, ...first.filter(({ kind }) => kind !== 'transfer')]))).toEqual(expected);
        const sums = Object.values(expected).reduce((sum, amount) => sum + amount, 0n);
        expect(sums).toBe(0n);
      }),
      { numRuns: 500 },
    );
  });
});
