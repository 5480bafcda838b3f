import { monthOf } from '@keyfare/core/time';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import type { CallEntry, GoodEntry, TermsEntry } from '../entry.js';
import { type Charge, periodKey, type RatingState, rateEntries } from './rate-entries.js';

const empty: RatingState = { book: [], prices: [], periods: [], totals: new Map() };
const start = new Date('2026-11-01T00:00:00Z');

function terms(position: number, overrides: Partial<TermsEntry['terms']> = {}): TermsEntry {
  const id = `terms-${position}`;
  return {
    kind: 'terms',
    place: BigInt(position),
    id,
    terms: {
      version: 1,
      id,
      account: 'a',
      accountName: 'A',
      plan: { id: 'plan_s', slug: 's', version: 1 },
      includedUnits: '10',
      overage: 'invoice',
      overagePrice: '7',
      monthlyPrice: '0',
      effectiveAt: start.getTime() / 1_000,
      issuedAt: start.getTime() / 1_000,
      ...overrides,
    },
  };
}

function keyCall(position: number, units: number, { at = start, account = 'a' } = {}): CallEntry {
  const usage = {
    rail: 'key' as const,
    account,
    payer: null,
    sku: 'forecast',
    units: BigInt(units),
    periodStart: monthOf(at).start,
    occurredAt: at,
  };
  const receipt = { rail: 'key', principal: account } as CallEntry['receipt'];
  return { kind: 'call', place: BigInt(position), id: `call-${position}`, usage, receipt };
}

function sum(charges: readonly Charge[], of: (charge: Charge) => bigint): bigint {
  return charges.reduce((total, charge) => total + of(charge), 0n);
}

describe('rating', () => {
  it('bills a call in the period in which it was made, where its account has others than months', () => {
    const middle = new Date('2026-11-14T23:00:00Z');
    const end = new Date('2026-12-14T23:00:00Z');
    const periods = [
      { account: 'a', start, end: middle },
      { account: 'a', start: middle, end },
    ];
    const calls = [
      keyCall(2, 1),
      keyCall(3, 1, { at: new Date(middle.getTime() - 1) }),
      keyCall(4, 1, { at: middle }),
      keyCall(5, 1, { at: new Date('2026-12-02T00:00:00Z') }),
    ];
    const { charges } = rateEntries([terms(1), ...calls], { ...empty, periods });
    expect(charges.map(({ billedIn }) => billedIn)).toEqual([null, null, middle, middle]);
    const others = rateEntries([terms(1), ...calls], {
      ...empty,
      periods: periods.map(({ start: from, end: to }) => ({ account: 'b', start: from, end: to })),
    });
    expect(others.charges.map(({ billedIn }) => billedIn)).toEqual([null, null, null, null]);
  });

  it('fills the plan first, bills the rest, and splits the call that crosses the line', () => {
    const { charges } = rateEntries([terms(1), keyCall(2, 8), keyCall(3, 5), keyCall(4, 1)], empty);
    expect(charges.map(({ included, overage, amount }) => [included, overage, amount])).toEqual([
      [8n, 0n, 0n],
      [2n, 3n, 21n],
      [0n, 1n, 7n],
    ]);
  });

  it('begins a month anew, in UTC', () => {
    const lastInstant = new Date('2026-11-30T23:59:59.999Z');
    const next = new Date('2026-12-01T00:00:00.000Z');
    const { charges, totals } = rateEntries(
      [terms(1), keyCall(2, 10, { at: lastInstant }), keyCall(3, 10, { at: next }), keyCall(4, 1, { at: lastInstant })],
      empty,
    );
    expect(charges.map(({ overage }) => overage)).toEqual([0n, 0n, 1n]);
    expect([...totals]).toEqual([
      [periodKey('a', start), 11n],
      [periodKey('a', next), 10n],
    ]);
  });

  it('prices units beyond the plan by the contract in force when the call was made, and by the plan without one', () => {
    const [from, until] = [new Date('2026-11-10T00:00:00Z'), new Date('2026-11-20T00:00:00Z')];
    const price = { account: 'a', sku: 'forecast', unitPrice: 3n, from, until };
    const state = { ...empty, prices: [{ ...price, sku: 'other' }, { ...price, account: 'b' }, price] };
    const at = (day: Date, ms = 0) => ({ at: new Date(day.getTime() + ms) });
    const calls = [at(from, -1), at(from), at(until, -1), at(until)].map((when, index) => keyCall(index + 2, 1, when));
    const rated = (overage: 'invoice' | 'reject') =>
      rateEntries([terms(1, { includedUnits: '0', overage }), ...calls], state).charges.map(({ amount }) => amount);
    expect(rated('invoice')).toEqual([7n, 3n, 3n, 7n]);
    expect(rated('reject')).toEqual([0n, 0n, 0n, 0n]);
  });

  it('prices a call by the terms that were in force when it was made', () => {
    const later = new Date('2026-11-10T00:00:00Z');
    const before = new Date(later.getTime() - 1);
    const dearer = terms(2, { overagePrice: '100', includedUnits: '0', effectiveAt: later.getTime() / 1_000 });
    const { charges } = rateEntries(
      [terms(1, { includedUnits: '0' }), dearer, keyCall(3, 1, { at: later }), keyCall(4, 1, { at: before })],
      empty,
    );
    expect(charges.map(({ amount, termsId }) => [amount, termsId])).toEqual([
      [100n, 'terms-2'],
      [7n, 'terms-1'],
    ]);
  });

  it('prices a call by the last revision that applies, though the clock of who changed the terms was behind', () => {
    const at = start.getTime() / 1_000;
    const { charges } = rateEntries(
      [
        terms(1, { revision: 1, effectiveAt: at + 10 }),
        terms(2, { revision: 2, effectiveAt: at + 5, includedUnits: '0' }),
        keyCall(3, 1, { at: new Date(start.getTime() + 20_000) }),
      ],
      empty,
    );
    expect(charges[0]?.termsId).toBe('terms-2');
  });

  it('takes the terms that the log tells of last when two begin at the same second', () => {
    const { charges } = rateEntries([terms(1), terms(2, { includedUnits: '0' }), keyCall(3, 1)], empty);
    expect(charges[0]?.termsId).toBe('terms-2');
  });

  it('prices a call from just before the first terms by these: clocks of two machines differ', () => {
    const early = new Date(start.getTime() - 3_000);
    const { charges, unrated } = rateEntries(
      [terms(1), terms(2, { includedUnits: '0' }), keyCall(3, 1, { at: early })],
      empty,
    );
    expect(charges.map(({ termsId, periodStart }) => [termsId, periodStart])).toEqual([
      ['terms-1', new Date('2026-10-01T00:00:00Z')],
    ]);
    expect(unrated.size).toBe(0);
  });

  it('does not price a call by terms that the log had not told of before it', () => {
    const { charges, unrated } = rateEntries([keyCall(1, 1), terms(2), keyCall(3, 1)], empty);
    expect([...unrated.keys()]).toEqual(['call-1']);
    expect(charges.map(({ entryId }) => entryId)).toEqual(['call-3']);
  });

  it('refuses a price that is beyond any sum of money, and goes on', () => {
    const absurd = terms(1, { includedUnits: '0', overagePrice: '9'.repeat(60) });
    const { charges, unrated } = rateEntries([absurd, keyCall(2, 2), keyCall(3, 1)], empty);
    expect([...unrated.keys()]).toEqual(['call-2']);
    expect(charges).toHaveLength(1);
  });

  it('does not charge a call made at or after the end of the contract, and says so; the terms in force decide', () => {
    const day = 86_400_000;
    const at = (ms: number): { at: Date } => ({ at: new Date(start.getTime() + ms) });
    const endsAt = start.getTime() / 1_000 + 86_400;
    const { charges, unrated, totals } = rateEntries(
      [
        terms(1, { revision: 1, endsAt }),
        keyCall(2, 1, at(day - 1)),
        keyCall(3, 1, at(day)),
        keyCall(4, 1, at(2 * day)),
        // Two days later the end is taken away: from then on, and not for what was before.
        terms(5, { revision: 2, effectiveAt: endsAt + 2 * 86_400 }),
        keyCall(6, 1, at(2 * day)),
        keyCall(7, 1, at(4 * day)),
      ],
      empty,
    );
    expect(charges.map(({ entryId }) => entryId)).toEqual(['call-2', 'call-7']);
    expect([...unrated].map(([id, { fault }]) => [id, fault])).toEqual([
      ['call-3', 'account-ended'],
      ['call-4', 'account-ended'],
      ['call-6', 'account-ended'],
    ]);
    expect(totals.get(periodKey('a', start))).toBe(2n);
  });

  it('counts all units of the month against the plan in force: a change gives no second allowance, and takes none back', () => {
    const { charges } = rateEntries(
      [
        terms(1, { includedUnits: '10' }),
        keyCall(2, 15),
        terms(3, { includedUnits: '20', overagePrice: '5' }),
        keyCall(4, 7),
        terms(5, { includedUnits: '10', overagePrice: '9' }),
        keyCall(6, 1),
      ],
      empty,
    );
    expect(charges.map(({ included, overage, amount }) => [included, overage, amount])).toEqual([
      [10n, 5n, 35n],
      [5n, 2n, 10n],
      [0n, 1n, 9n],
    ]);
  });

  it.each(['reject', 'x402'] as const)(
    'charges nothing for a call that was in flight when the plan became `%s`',
    (overage) => {
      const smaller = terms(3, { overage, includedUnits: '4', overagePrice: '100' });
      const { charges, totals } = rateEntries([terms(1), keyCall(2, 6), smaller, keyCall(4, 3)], empty);
      expect(charges.at(-1)).toMatchObject({ included: 0n, overage: 3n, unitPrice: 0n, amount: 0n });
      expect([...totals.values()]).toEqual([9n]);
    },
  );

  it('over any changes of plan rates every unit once, and bills none that the plan in force does not invoice', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('call' as const), units: fc.integer({ min: 0, max: 30 }) }),
      fc.record({
        kind: fc.constant('terms' as const),
        overage: fc.constantFrom('reject' as const, 'invoice' as const, 'x402' as const),
        includedUnits: fc.nat({ max: 60 }).map(String),
        overagePrice: fc.nat({ max: 1_000 }).map(String),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const entries = [
          terms(1),
          ...steps.map((each, index) =>
            each.kind === 'call'
              ? keyCall(index + 2, each.units)
              : terms(index + 2, {
                  overage: each.overage,
                  includedUnits: each.includedUnits,
                  overagePrice: each.overagePrice,
                }),
          ),
        ];
        const { charges, totals, terms: book, unrated } = rateEntries(entries, empty);
        const used = steps.reduce((total, each) => total + (each.kind === 'call' ? each.units : 0), 0);
        expect(unrated.size).toBe(0);
        expect(sum(charges, ({ included, overage }) => included + overage)).toBe(BigInt(used));
        expect([...totals.values()].reduce((total, units) => total + units, 0n)).toBe(BigInt(used));
        for (const { termsId, overage, unitPrice, amount } of charges) {
          const inForce = book.find(({ id }) => id === termsId)?.terms;
          const due = inForce?.overage === 'invoice' ? inForce.overagePrice.atomic : 0n;
          expect([unitPrice, amount]).toEqual([due, overage * due]);
        }
      }),
    );
  });

  const calls = fc.array(
    fc.record({
      units: fc.integer({ min: 1, max: 50 }),
      account: fc.constantFrom('a', 'b'),
      day: fc.integer({ min: 0, max: 60 }),
    }),
    { maxLength: 40 },
  );
  const entriesOf = (list: readonly { units: number; account: string; day: number }[]): GoodEntry[] => [
    terms(1, { includedUnits: '100' }),
    terms(2, { account: 'b', includedUnits: '60', overagePrice: '3' }),
    ...list.map(({ units, account, day }, index) =>
      keyCall(index + 3, units, { account, at: new Date(start.getTime() + day * 86_400_000) }),
    ),
  ];

  it('comes to the same however the entries are divided into batches', () => {
    fc.assert(
      fc.property(calls, fc.array(fc.nat({ max: 42 }), { maxLength: 5 }), (list, cuts) => {
        const entries = entriesOf(list);
        const whole = rateEntries(entries, empty);
        const edges = [0, ...cuts.toSorted((a, b) => a - b), entries.length];
        let state: RatingState = empty;
        const charges: Charge[] = [];
        for (const [index, from] of edges.slice(0, -1).entries()) {
          const part = rateEntries(entries.slice(from, edges[index + 1]), state);
          charges.push(...part.charges);
          state = {
            prices: [],
            periods: [],
            book: [...state.book, ...part.terms],
            totals: new Map([...state.totals, ...part.totals]),
          };
        }
        expect(charges).toEqual(whole.charges);
        expect(state.totals).toEqual(whole.totals);
      }),
    );
  });

  it('conserves units, and bills a month what its whole comes to', () => {
    fc.assert(
      fc.property(calls, (list) => {
        const { charges } = rateEntries(entriesOf(list), empty);
        expect(sum(charges, ({ included, overage }) => included + overage)).toBe(
          BigInt(list.reduce((n, { units }) => n + units, 0)),
        );
        for (const account of ['a', 'b']) {
          for (const month of new Set(charges.map(({ periodStart }) => periodStart.getTime()))) {
            const own = charges.filter(
              (charge) => charge.account === account && charge.periodStart.getTime() === month,
            );
            const units = sum(own, (charge) => charge.units);
            const [included, price] = account === 'a' ? [100n, 7n] : [60n, 3n];
            const overage = units > included ? units - included : 0n;
            expect(sum(own, ({ amount }) => amount)).toBe(overage * price);
          }
        }
      }),
    );
  });
});
