import { parseMonth } from '@keyfare/core/time';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import type { BillingPeriod } from '../billing-periods.js';
import {
  type DraftInput,
  draftInvoice,
  type InvoicedAdjustment,
  type InvoicedTerms,
  isIdle,
  takenAdjustments,
} from './draft.js';

const period = monthInUtc('2026-11');
const starter: InvoicedTerms = {
  accountName: 'Acme',
  planSlug: 'starter',
  planVersion: 1n,
  monthlyPrice: 10_000_000n,
  effectiveAt: new Date('2026-03-01T00:00:00Z'),
  endsAt: null,
};
const input: DraftInput = {
  account: 'acct_1',
  period,
  terms: [starter],
  calls: [
    { sku: 'forecast', unitPrice: 250n, included: 90n, overage: 4n },
    { sku: 'distances', unitPrice: 250n, included: 10n, overage: 1n },
  ],
  commit: null,
  adjustments: [],
  prepaid: 0n,
  receipts: 12n,
  firstEntry: 'e1',
  lastEntry: 'e9',
};

describe('a draft', () => {
  it('has the included units at nothing, the overage by product, and the plan', () => {
    const draft = draftInvoice(input);
    expect(
      draft?.lines.map(({ kind, sku, quantity, unitPrice, amount }) => [kind, sku, quantity, unitPrice, amount]),
    ).toEqual([
      ['included', 'distances', 10n, 0n, 0n],
      ['included', 'forecast', 90n, 0n, 0n],
      ['overage', 'distances', 1n, 250n, 250n],
      ['overage', 'forecast', 4n, 250n, 1_000n],
      ['plan', null, 1n, 10_000_000n, 10_000_000n],
    ]);
    expect(draft?.total).toBe(10_001_250n);
    expect(draft?.payableCents).toBe(1_000n);
  });

  it('rounds once, the total, and a half to the even cent', () => {
    const total = (overage: bigint): bigint | undefined =>
      draftInvoice({
        ...input,
        terms: [{ ...starter, monthlyPrice: 0n }],
        calls: [{ sku: 's', unitPrice: 1n, included: 0n, overage }],
      })?.payableCents;
    expect([4_999n, 5_000n, 5_001n, 15_000n, 25_000n].map(total)).toEqual([0n, 0n, 1n, 2n, 2n]);
  });

  it('of an account opened in the course of the month bills the plan from then on', () => {
    const opened = { ...starter, effectiveAt: new Date('2026-11-21T00:00:00Z') };
    expect(draftInvoice({ ...input, terms: [opened] })?.lines.at(-1)).toMatchObject({
      description: 'Plan starter, version 1: 10 of 30 days, 2026-11-21 to 2026-11-30',
      unitPrice: 10_000_000n,
      amount: 3_333_333n,
    });
  });

  it('bills no time before the account existed: an hour on a plan costs an hour of it', () => {
    const opened = Date.parse('2026-11-25T10:00:00Z');
    const pro = { ...starter, planSlug: 'pro', monthlyPrice: 49_000_000n, effectiveAt: new Date(opened) };
    const free = { ...starter, planSlug: 'free', monthlyPrice: 0n, effectiveAt: new Date(opened + 3_600_000) };
    const draft = draftInvoice({ ...input, calls: [], terms: [pro, free] });
    expect(draft?.lines.map(({ description, amount }) => [description.split(':')[0], amount])).toEqual([
      ['Plan pro, version 1', 68_055n],
      ['Plan free, version 1', 0n],
    ]);
    expect(draft?.payableCents).toBe(7n);
  });

  it('is idle without a call and without a price, and only then', () => {
    const quiet = { ...input, calls: [], receipts: 0n };
    const idle = (changes: Partial<DraftInput>): boolean | undefined => {
      const draft = draftInvoice({ ...quiet, ...changes });
      return draft === null ? undefined : isIdle(draft);
    };
    const free = { ...starter, monthlyPrice: 0n };
    expect(idle({ terms: [free] })).toBe(true);
    expect(idle({ terms: [starter] })).toBe(false);
    expect(idle({ terms: [free], receipts: 1n })).toBe(false);
  });

  it('of a month in which no terms hold yet has its calls, and no plan', () => {
    const next = { ...starter, effectiveAt: period.end };
    const draft = draftInvoice({ ...input, terms: [next] });
    expect(draft).toMatchObject({ accountName: 'Acme', total: 1_250n, terms: 0n });
  });

  it('divides the price of the month between the plans that were in force in it', () => {
    const pro = {
      ...starter,
      planSlug: 'pro',
      monthlyPrice: 40_000_000n,
      effectiveAt: new Date('2026-11-21T00:00:00Z'),
    };
    const plans = draftInvoice({ ...input, terms: [starter, pro] })?.lines.filter(({ kind }) => kind === 'plan');
    expect(plans?.map(({ amount }) => amount)).toEqual([6_666_667n, 13_333_333n]);
    expect(plans?.[1]?.description).toBe('Plan pro, version 1: 10 of 30 days, 2026-11-21 to 2026-11-30');
  });

  it('leaves out terms of other months, and terms that never held', () => {
    const next = { ...starter, planSlug: 'next', effectiveAt: period.end };
    const undone = { ...starter, planSlug: 'undone', effectiveAt: new Date('2026-11-05T00:00:00Z') };
    const kept = { ...starter, planSlug: 'kept', effectiveAt: new Date('2026-11-05T00:00:00Z') };
    const names = draftInvoice({ ...input, terms: [starter, undone, kept, next] })?.lines.flatMap(
      ({ kind, description }) => (kind === 'plan' ? [description.split(',')[0]] : []),
    );
    expect(names).toEqual(['Plan starter', 'Plan kept']);
    expect(draftInvoice({ ...input, terms: [next], calls: [], receipts: 0n })).toBeNull();
  });

  it('is the same when nothing changed, in whatever order the figures come, and another when anything did', () => {
    const digest = (changes: Partial<DraftInput> = {}): string | undefined =>
      draftInvoice({ ...input, ...changes })?.digest.toString('hex');
    expect(digest({ calls: input.calls.toReversed() })).toBe(digest());
    const others = [
      digest({ receipts: 13n }),
      digest({ lastEntry: 'e8' }),
      digest({ calls: input.calls.slice(1) }),
      digest({ terms: [{ ...starter, planVersion: 2n }] }),
      digest({ account: 'acct_2' }),
      digest({ terms: [{ ...starter, effectiveAt: new Date(0) }, starter] }),
    ];
    expect(new Set([digest(), ...others]).size).toBe(7);
  });

  it('of the month in which the contract ended has the plan up to the end, and of a later month there is none', () => {
    const endsAt = new Date('2026-11-16T00:00:00Z');
    // Known before, or told by the terms that closed the account.
    for (const terms of [
      [{ ...starter, endsAt }],
      [starter, { ...starter, effectiveAt: endsAt, endsAt }],
      [starter, { ...starter, effectiveAt: new Date('2026-11-03T00:00:00Z'), endsAt }],
    ]) {
      const draft = draftInvoice({ ...input, terms });
      expect(draft?.total).toBe(1_250n + 5_000_000n);
      const after = { ...input, terms, calls: [], receipts: 0n, firstEntry: null, lastEntry: null };
      expect(draftInvoice({ ...after, period: monthInUtc('2026-12') })).toBeNull();
    }
    const atMidnight = { ...starter, endsAt: period.end };
    expect(draftInvoice({ ...input, calls: [], terms: [atMidnight] })?.total).toBe(starter.monthlyPrice);
    expect(
      draftInvoice({ ...input, receipts: 0n, calls: [], terms: [{ ...starter, endsAt: period.start }] }),
    ).toBeNull();
  });

  it('of an account that came back after its end leaves the time between out', () => {
    const terms = [
      { ...starter, endsAt: new Date('2026-11-07T00:00:00Z') },
      { ...starter, effectiveAt: new Date('2026-11-25T00:00:00Z') },
    ];
    expect(draftInvoice({ ...input, calls: [], terms })?.lines.filter(({ kind }) => kind === 'plan')).toMatchObject([
      { amount: 2_000_000n },
      { amount: 2_000_000n },
    ]);
  });

  it('of one price in many versions costs exactly that price, however the month is divided', () => {
    const instant = fc.integer({ min: period.start.getTime(), max: period.end.getTime() - 1 });
    fc.assert(
      fc.property(
        fc.array(instant, { maxLength: 12 }),
        fc.bigInt({ min: 0n, max: 10n ** 12n }),
        (moments, monthlyPrice) => {
          const starts = [starter.effectiveAt.getTime(), ...moments.toSorted((a, b) => a - b)];
          const terms = starts.map((ms, index): InvoicedTerms => {
            const { accountName, planSlug, endsAt } = starter;
            const planVersion = BigInt(index);
            return { accountName, planSlug, planVersion, monthlyPrice, effectiveAt: new Date(ms), endsAt };
          });
          const draft = draftInvoice({ ...input, calls: [], terms });
          expect(draft?.total).toBe(monthlyPrice);
          expect(draft?.lines.every(({ amount }) => amount >= 0n)).toBe(true);
        },
      ),
    );
  });

  it('never bills more of a price than its time: each part is within a micro-dollar of its exact share', () => {
    const instant = fc.integer({ min: period.start.getTime() / 1_000 - 86_400, max: period.end.getTime() / 1_000 - 1 });
    const moment = fc.record({ second: instant, monthlyPrice: fc.bigInt({ min: 0n, max: 10n ** 12n }) });
    const wholeMs = period.end.getTime() - period.start.getTime();
    fc.assert(
      fc.property(fc.array(moment, { minLength: 1, maxLength: 8 }), (moments) => {
        const terms = moments
          .toSorted((a, b) => a.second - b.second)
          .map(({ second, monthlyPrice }): InvoicedTerms => {
            const { accountName, planSlug, planVersion, endsAt } = starter;
            return { accountName, planSlug, planVersion, monthlyPrice, effectiveAt: new Date(second * 1_000), endsAt };
          });
        const ends = [...terms.slice(1).map(({ effectiveAt }) => effectiveAt), period.end];
        const lengths = terms.map(({ effectiveAt }, index) => {
          const from = Math.max(effectiveAt.getTime(), period.start.getTime());
          return Math.max(0, (ends[index]?.getTime() ?? 0) - from);
        });
        const held = terms.flatMap(({ monthlyPrice }, index) =>
          lengths[index] === 0 ? [] : [{ monthlyPrice, index }],
        );
        const lines = draftInvoice({ ...input, calls: [], receipts: 0n, terms })?.lines ?? [];
        expect(lines).toHaveLength(held.length);
        for (const [line, { monthlyPrice, index }] of held.entries()) {
          const exact = monthlyPrice * BigInt(lengths[index] ?? 0);
          const off = (lines[line]?.amount ?? 0n) * BigInt(wholeMs) - exact;
          expect(off < BigInt(wholeMs) && off > -BigInt(wholeMs)).toBe(true);
        }
        const billed = lines.reduce((sum, { amount }) => sum + amount, 0n);
        const dearest = moments.reduce((most, each) => (each.monthlyPrice > most ? each.monthlyPrice : most), 0n);
        expect(billed <= dearest + BigInt(lines.length)).toBe(true);
      }),
    );
  });

  it('is the sum of its lines, and has every unit that was rated on one of them', () => {
    const calls = fc.array(
      fc.record({
        sku: fc.constantFrom('a', 'b', 'c'),
        unitPrice: fc.bigInt({ min: 0n, max: 10n ** 9n }),
        included: fc.bigInt({ min: 0n, max: 10n ** 9n }),
        overage: fc.bigInt({ min: 0n, max: 10n ** 9n }),
      }),
    );
    fc.assert(
      fc.property(calls, (list) => {
        const draft = draftInvoice({ ...input, calls: list });
        const overage = list.reduce((sum, each) => sum + each.overage * each.unitPrice, 0n);
        expect(draft?.total).toBe(overage + starter.monthlyPrice);
        expect(draft?.lines.reduce((sum, { amount }) => sum + amount, 0n)).toBe(draft?.total);
        const charged = draft?.lines.filter(({ kind }) => kind !== 'plan') ?? [];
        expect(charged.every(({ quantity, unitPrice, amount }) => amount === quantity * unitPrice)).toBe(true);
        const units = draft?.lines
          .filter(({ kind }) => kind !== 'plan')
          .reduce((sum, { quantity }) => sum + quantity, 0n);
        expect(units).toBe(list.reduce((sum, { included, overage: beyond }) => sum + included + beyond, 0n));
      }),
    );
  });
});

describe('adjustments', () => {
  const adjustment = (id: string, amount: bigint, left = amount): InvoicedAdjustment => {
    return { id, description: id, amount, left, prepaid: false };
  };
  const lines = (...adjustments: readonly InvoicedAdjustment[]) => {
    const given = { ...input, adjustments };
    const draft = draftInvoice(given);
    const some = draft?.lines.slice(5).map(({ description, quantity, unitPrice, amount }) => {
      return [description, quantity * unitPrice === amount, amount];
    });
    expect(takenAdjustments(given).map(({ line, amount }) => [draft?.lines[line - 1]?.amount, amount])).toEqual(
      some?.map(([, , amount]) => [amount, amount]),
    );
    return { some, total: draft?.total };
  };

  it('are lines of their own, what is added before what is taken', () => {
    expect(lines(adjustment('outage', -2_000_000n), adjustment('setup', 500_000n))).toEqual({
      some: [
        ['Charge: setup', true, 500_000n],
        ['Credit: outage', true, -2_000_000n],
      ],
      total: 8_501_250n,
    });
  });

  it('never take an invoice below nothing: the rest is for later ones, in the order in which they were made', () => {
    expect(lines(adjustment('a', -10_000_000n), adjustment('b', -10_000_000n), adjustment('c', -1n))).toEqual({
      some: [
        ['Credit: a', true, -10_000_000n],
        ['Credit: b, 0.001250 of 10.00 USD', true, -1_250n],
      ],
      total: 0n,
    });
    expect(lines(adjustment('b', -10_000_000n, -9_998_750n)).some).toEqual([
      ['Credit: b, 9.998750 of 10.00 USD', true, -9_998_750n],
    ]);
  });

  it('alone make an invoice when something is added, and none when something is taken', () => {
    const quiet = { ...input, calls: [], receipts: 0n, terms: [{ ...starter, monthlyPrice: 0n }] };
    const idle = (amount: bigint) => {
      const draft = draftInvoice({ ...quiet, adjustments: [adjustment('a', amount)] });
      return draft === null || isIdle(draft);
    };
    expect([idle(1n), idle(-1n)]).toEqual([false, true]);
    const ended = { ...quiet, terms: [{ ...starter, endsAt: period.start }] };
    expect(draftInvoice({ ...ended, adjustments: [adjustment('a', 5n)] })?.total).toBe(5n);
  });
});

describe('a commit', () => {
  const commit = { amount: 30_000_000n, since: period.start, until: period.end };
  const linesOf = (given: Partial<DraftInput>) => {
    const lines = draftInvoice({ ...input, commit, ...given })?.lines ?? [];
    return lines.slice(5).map(({ kind, description, amount }) => [kind, description, amount]);
  };

  it('is a line of what is missing to it, and none when enough was used', () => {
    expect(linesOf({})).toEqual([['commit', 'Minimum of 30.00 USD, of which 10.001250 was used', 19_998_750n]]);
    expect(draftInvoice({ ...input, commit })?.total).toBe(30_000_000n);
    expect(linesOf({ commit: { ...commit, amount: 10_001_250n } })).toEqual([]);
  });

  it('is of a part of the month for a contract that held in a part, and does not count adjustments', () => {
    const until = new Date('2026-11-16T00:00:00Z');
    const adjustments = [{ id: 'a', description: 'Outage', amount: -1n, left: -1n, prepaid: false }];
    expect(linesOf({ commit: { ...commit, until }, adjustments })).toEqual([
      [
        'commit',
        'Minimum of 15.00 USD, of which 10.001250 was used, 15 of 30 days, 2026-11-01 to 2026-11-15',
        4_998_750n,
      ],
      ['adjustment', 'Credit: Outage', -1n],
    ]);
  });

  it('makes an invoice of a month in which nothing was used', () => {
    const quiet = { ...input, calls: [], receipts: 0n, terms: [{ ...starter, monthlyPrice: 0n }], commit };
    const draft = draftInvoice(quiet);
    expect(draft?.total).toBe(30_000_000n);
    expect(draft !== null && isIdle(draft)).toBe(false);
  });
});

describe('what was paid ahead', () => {
  const ahead = { id: 'p', description: 'Autumn', amount: 50_000_000n, left: 50_000_000n, prepaid: true };
  const linesOf = (given: Partial<DraftInput>) =>
    draftInvoice({ ...input, ...given })
      ?.lines.slice(5)
      .map(({ kind, description, amount }) => [kind, description, amount]);

  it('takes off all that there is to pay, as far as it goes, but for what is paid ahead by the invoice itself', () => {
    expect(linesOf({ prepaid: 4_000_000n, adjustments: [ahead] })).toEqual([
      ['prepaid', 'Paid ahead: Autumn', 50_000_000n],
      ['prepaid', 'Drawn on what was paid ahead; 0.00 USD are left', -4_000_000n],
    ]);
    expect(linesOf({ prepaid: 50_000_000n })).toEqual([
      ['prepaid', 'Drawn on what was paid ahead; 39.998750 USD are left', -10_001_250n],
    ]);
    expect(draftInvoice({ ...input, prepaid: 50_000_000n })?.total).toBe(0n);
  });

  it('leaves an idle month alone', () => {
    const quiet = { ...input, calls: [], receipts: 0n, terms: [{ ...starter, monthlyPrice: 0n }], prepaid: 5n };
    const draft = draftInvoice(quiet);
    expect(draft !== null && isIdle(draft)).toBe(true);
  });
});

function monthInUtc(text: string): BillingPeriod {
  const month = parseMonth(text);
  return { ...month, whole: month, timeZone: 'UTC' };
}
