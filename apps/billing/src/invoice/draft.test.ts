import { describe, expect, it } from '@jest/globals';
import { parseMonth } from '@keyfare/core/time';
import * as fc from 'fast-check';
import { type DraftInput, draftInvoice, type InvoicedTerms } from './draft.js';

const period = parseMonth('2026-11');
const starter: InvoicedTerms = {
  accountName: 'Acme',
  planSlug: 'starter',
  planVersion: 1n,
  monthlyPrice: 10_000_000n,
  effectiveAt: new Date('2026-03-01T00:00:00Z'),
};
const input: DraftInput = {
  account: 'acct_1',
  period,
  terms: [starter],
  calls: [
    { sku: 'forecast', unitPrice: 250n, included: 90n, overage: 4n },
    { sku: 'distances', unitPrice: 250n, included: 10n, overage: 1n },
  ],
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
      ['included', null, 100n, 0n, 0n],
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

  it('of an account opened in the course of the month bills the month whole', () => {
    const opened = { ...starter, effectiveAt: new Date('2026-11-21T10:00:00Z') };
    expect(draftInvoice({ ...input, terms: [opened] })?.lines.at(-1)).toMatchObject({
      description: 'Plan starter, version 1',
      amount: 10_000_000n,
    });
  });

  it('divides the price of the month between the plans that were in force in it', () => {
    const pro = {
      ...starter,
      planSlug: 'pro',
      monthlyPrice: 40_000_000n,
      effectiveAt: new Date('2026-11-21T00:00:00Z'),
    };
    const plans = draftInvoice({ ...input, terms: [starter, pro] })?.lines.filter(({ kind }) => kind === 'plan');
    expect(plans?.map(({ amount }) => amount)).toEqual([6_666_666n, 13_333_334n]);
    expect(plans?.[1]?.description).toBe('Plan pro, version 1: 2026-11-21T00:00:00.000Z to 2026-12-01T00:00:00.000Z');
  });

  it('leaves out terms of other months, and terms that never held', () => {
    const next = { ...starter, planSlug: 'next', effectiveAt: period.end };
    const undone = { ...starter, planSlug: 'undone', effectiveAt: new Date('2026-11-05T00:00:00Z') };
    const kept = { ...starter, planSlug: 'kept', effectiveAt: new Date('2026-11-05T00:00:00Z') };
    const names = draftInvoice({ ...input, terms: [starter, undone, kept, next] })?.lines.flatMap(
      ({ kind, description }) => (kind === 'plan' ? [description.split(',')[0]] : []),
    );
    expect(names).toEqual(['Plan starter', 'Plan kept']);
    expect(draftInvoice({ ...input, terms: [next] })).toBeNull();
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
    ];
    expect(new Set([digest(), ...others]).size).toBe(6);
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
            const { accountName, planSlug } = starter;
            return { accountName, planSlug, planVersion: BigInt(index), monthlyPrice, effectiveAt: new Date(ms) };
          });
          const draft = draftInvoice({ ...input, calls: [], terms });
          expect(draft?.total).toBe(monthlyPrice);
          expect(draft?.lines.every(({ amount }) => amount >= 0n)).toBe(true);
        },
      ),
    );
  });

  it('is the sum of its lines', () => {
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
      }),
    );
  });
});
