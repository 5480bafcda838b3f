import { parseMonth } from '@keyfare/core/time';
import { describe, expect, it } from '@keyfare/jest-preset/globals';
import type { BillingPeriod } from '../billing-periods.js';
import { type DraftInput, draftInvoice, type InvoicedTerms } from './draft.js';

const month = parseMonth('2026-11');
const period: BillingPeriod = { ...month, whole: month, timeZone: 'UTC' };
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
  calls: [],
  commit: null,
  adjustments: [],
  prepaid: 0n,
  receipts: 12n,
  firstEntry: 'e1',
  lastEntry: 'e9',
};

describe('a draft of a period of a contract', () => {
  const at = (time: string): Date => new Date(time);
  const fees = (of: BillingPeriod): readonly (readonly [string, bigint])[] =>
    (draftInvoice({ ...input, period: of })?.lines ?? []).map(({ description, amount }) => [description, amount]);

  it('has a plan for what is left of a month that another period cuts off, by the days of the zone', () => {
    const whole = { start: at('2026-10-31T23:00:00Z'), end: at('2026-11-30T23:00:00Z') };
    const cut = at('2026-11-12T23:00:00Z');
    const before = fees({ start: whole.start, end: cut, whole, timeZone: 'Europe/Berlin' });
    expect(before).toEqual([['Plan starter, version 1: 12 of 30 days, 2026-11-01 to 2026-11-12', 4_000_000n]]);
    const after = fees({ start: cut, end: whole.end, whole, timeZone: 'Europe/Berlin' });
    expect(after).toEqual([['Plan starter, version 1: 18 of 30 days, 2026-11-13 to 2026-11-30', 6_000_000n]]);
  });

  it('counts a day on which clocks change as one, and pays for its hours', () => {
    const whole = { start: at('2026-09-30T22:00:00Z'), end: at('2026-10-31T23:00:00Z') };
    const terms = [starter, { ...starter, planVersion: 2n, effectiveAt: at('2026-10-24T22:00:00Z') }];
    const lines = draftInvoice({
      ...input,
      calls: [],
      terms,
      period: { ...whole, whole, timeZone: 'Europe/Berlin' },
    })?.lines;
    expect(lines?.map(({ description }) => description)).toEqual([
      'Plan starter, version 1: 24 of 31 days, 2026-10-01 to 2026-10-24',
      'Plan starter, version 2: 7 of 31 days, 2026-10-25 to 2026-10-31',
    ]);
    expect(lines?.reduce((sum, { amount }) => sum + amount, 0n)).toBe(10_000_000n);
  });

  it('asks of a minimum as much as its part of the whole period', () => {
    const whole = { start: at('2026-11-01T00:00:00Z'), end: at('2026-12-01T00:00:00Z') };
    const of = { start: at('2026-11-16T00:00:00Z'), end: whole.end, whole, timeZone: 'UTC' };
    const commit = { amount: 30_000_000n, since: of.start, until: of.end };
    const draft = draftInvoice({ ...input, terms: [], period: of, commit });
    expect(draft).toBeNull();
    const held = draftInvoice({ ...input, period: of, commit });
    expect(held?.total).toBe(15_000_000n);
    expect(held?.lines.at(-1)?.description).toMatch(/^Minimum of 15\.00 USD, of which 5\.00 was used, 15 of 30 days/);
  });

  it('has another digest than the same of another zone', () => {
    const same = { ...period, timeZone: 'Etc/UTC' };
    expect(draftInvoice({ ...input, period: same })?.digest).not.toEqual(draftInvoice(input)?.digest);
  });
});
