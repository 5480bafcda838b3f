import type { Overage } from '@keyfare/core/metering';
import type { Period } from '@keyfare/core/time';
import type { HistoryOptions } from './options.js';
import type { Random } from './random.js';

/** A plan as it is sold in the history. Prices in dollars. */
export interface SoldPlan {
  readonly slug: string;
  readonly includedUnits: number;
  readonly overage: Overage;
  readonly overagePrice: string | null;
  readonly monthlyPrice: string;
}

/** An account of the history, before it is opened. */
interface PlannedAccount {
  readonly name: string;
  readonly plan: string;
  readonly opensAt: Date;
  readonly change: { readonly at: Date; readonly plan: string } | null;
  readonly closesAt: Date | null;
}

export type Asset = 'USDC' | 'EURC';

/** A call that a wallet pays for. */
export interface PaidCall {
  readonly at: Date;
  /** Which of the wallets. */
  readonly payer: number;
  readonly asset: Asset;
  readonly flow: 'authorization' | 'upfront' | 'deferred';
  /** The handler fails, after the money has moved. */
  readonly fails: boolean;
}

/** One thing that happens. `at` orders them. */
export type Happening =
  | { readonly kind: 'open' | 'change' | 'close'; readonly at: Date; readonly account: number }
  | { readonly kind: 'key'; readonly at: Date; readonly account: number; readonly sku: 'forecast' | 'distances' }
  | { readonly kind: 'free'; readonly at: Date; readonly address: string }
  | { readonly kind: 'late'; readonly at: Date; readonly account: number; readonly occurredAt: Date }
  | { readonly kind: 'paid' | 'bulk'; readonly at: Date; readonly calls: readonly PaidCall[] }
  | { readonly kind: 'beyond' | 'crash' | 'reorg' | 'dropped' | 'uncollectable'; readonly at: Date };

/** Everything that a history has, before any of it is made. */
export interface Schedule {
  readonly plans: readonly SoldPlan[];
  readonly accounts: readonly PlannedAccount[];
  readonly payers: number;
  /** In order. */
  readonly happenings: readonly Happening[];
}

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The schedule of a history: the same for the same options and months. */
export function scheduleOf(options: HistoryOptions, months: readonly Period[], random: Random): Schedule {
  const [begin, end] = [months[0]?.start, months.at(-1)?.end];
  if (begin === undefined || end === undefined) throw new RangeError('a history has at least one month');
  const span = { begin, end };
  const paid = Math.round((options.calls * (options.paidPercent ?? 2)) / 100);
  const free = Math.min(Math.round(options.calls / 50), months.length * 28 * 50);
  const keyed = Math.max(0, options.calls - paid - free);
  const plans = plansFor(keyed / options.accounts / months.length);
  const accounts = accountsOf(options.accounts, { plans, span, random: random.fork('accounts') });
  const payers = Math.max(2, Math.ceil(options.accounts / 4));
  const happenings: Happening[] = [
    ...accounts.flatMap((account, index) => lifeOf(account, index)),
    ...keyCalls(keyed, { accounts, end, random: random.fork('key calls') }),
    ...freeCalls(free, { span, random: random.fork('free calls') }),
    ...paidCalls(paid, { span, payers, random: random.fork('paid calls') }),
    ...lateCalls(accounts, months),
    ...incidents(span),
  ];
  return { plans, accounts, payers, happenings: happenings.toSorted((a, b) => a.at.getTime() - b.at.getTime()) };
}

interface Span {
  readonly begin: Date;
  readonly end: Date;
}

/** `usual` calls of an account in a month: some plans are too small for them, and some too large. */
function plansFor(usual: number): readonly SoldPlan[] {
  const units = (part: number): number => Math.max(1, Math.ceil(usual * part));
  return [
    { slug: 'starter', includedUnits: units(0.5), overage: 'invoice', overagePrice: '$0.0005', monthlyPrice: '$9' },
    { slug: 'pro', includedUnits: units(1.5), overage: 'invoice', overagePrice: '$0.00025', monthlyPrice: '$49' },
    { slug: 'metered', includedUnits: 0, overage: 'invoice', overagePrice: '$0.0008', monthlyPrice: '$0' },
    { slug: 'fixed', includedUnits: units(4), overage: 'reject', overagePrice: null, monthlyPrice: '$29' },
  ];
}

function accountsOf(
  count: number,
  { plans, span: { begin, end }, random }: { plans: readonly SoldPlan[]; span: Span; random: Random },
): readonly PlannedAccount[] {
  const lastMonth = Math.max(begin.getTime(), end.getTime() - 28 * dayMs);
  return Array.from({ length: count }, (_, index) => {
    const plan = plans[index % plans.length]?.slug ?? 'starter';
    const isEarly = index < 2 || random.next() < 0.6;
    const opensAt = new Date(
      begin.getTime() + minuteMs + (isEarly ? 0 : random.next() * ((end.getTime() - begin.getTime()) / 2)),
    );
    // One account always ends, and one always changes its plan.
    const closes = index === count - 1 || random.next() < 0.05;
    const from = Math.max(lastMonth, opensAt.getTime() + dayMs);
    const closesAt = closes ? seconds(from + (random.next() * 0.3 + 0.3) * (end.getTime() - from)) : null;
    const until = closesAt ?? new Date(end.getTime() - dayMs);
    const changes = index === 0 || random.next() < 0.3;
    const other = random.pick(plans.filter(({ slug }) => slug !== plan && slug !== 'fixed')).slug;
    const change = changes
      ? {
          at: seconds(opensAt.getTime() + (random.next() * 0.6 + 0.2) * (until.getTime() - opensAt.getTime())),
          plan: other,
        }
      : null;
    return {
      name: `Customer ${String(index + 1).padStart(4, '0')}`,
      plan,
      opensAt: seconds(opensAt.getTime()),
      change,
      closesAt,
    };
  });
}

function lifeOf({ opensAt, change, closesAt }: PlannedAccount, account: number): readonly Happening[] {
  return [
    { kind: 'open', at: opensAt, account },
    ...(change === null ? [] : [{ kind: 'change' as const, at: change.at, account }]),
    ...(closesAt === null ? [] : [{ kind: 'close' as const, at: closesAt, account }]),
  ];
}

/** Large and small customers, at any hour of their lives, and not in the seconds around a change of terms. */
function keyCalls(
  count: number,
  { accounts, end, random }: { accounts: readonly PlannedAccount[]; end: Date; random: Random },
): readonly Happening[] {
  const weights = accounts.map((_, index) => 1 / (1 + (index % 7)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const calls: Happening[] = [];
  for (const [account, { opensAt, closesAt, change }] of accounts.entries()) {
    const share =
      account === accounts.length - 1 ? count - calls.length : Math.round((count * (weights[account] ?? 0)) / total);
    const [first, last] = [opensAt.getTime() + minuteMs, (closesAt ?? end).getTime() - minuteMs];
    for (let call = 0; call < share; call += 1) {
      let at = first + random.next() * (last - first);
      if (change !== null && Math.abs(at - change.at.getTime()) < minuteMs) at = change.at.getTime() + 2 * minuteMs;
      calls.push({
        kind: 'key',
        at: new Date(Math.floor(at)),
        account,
        sku: random.next() < 0.8 ? 'forecast' : 'distances',
      });
    }
  }
  return calls;
}

/** No address has more than three of its ten free calls of a day. */
function freeCalls(
  count: number,
  { span: { begin, end }, random }: { span: Span; random: Random },
): readonly Happening[] {
  const days = Math.floor((end.getTime() - begin.getTime()) / dayMs);
  return Array.from({ length: count }, (_, index) => {
    const at = begin.getTime() + (index % days) * dayMs + Math.floor(random.next() * (dayMs - 1));
    const caller = Math.floor(index / days / 3);
    return { kind: 'free', at: new Date(at), address: `198.51.${String(100 + (caller >> 8))}.${String(caller & 255)}` };
  });
}

/** In bursts, as agents call: of one kind of flow each, so that those on credit are collected in bulk. */
function paidCalls(
  count: number,
  { span: { begin, end }, payers, random }: { span: Span; payers: number; random: Random },
): readonly Happening[] {
  const bursts: Happening[] = [];
  const room = end.getTime() - begin.getTime() - 5 * dayMs;
  for (let made = 0; made < count; ) {
    const isBulk = bursts.length % 3 === 1;
    const size = Math.min(count - made, random.whole(isBulk ? 4 : 1, isBulk ? 24 : 8));
    const at = seconds(begin.getTime() + dayMs + random.next() * room);
    const calls = Array.from({ length: size }, (_, index): PaidCall => {
      const flow = isBulk ? 'deferred' : random.next() < 0.2 ? 'upfront' : 'authorization';
      return {
        at: new Date(at.getTime() + index * 2_000),
        payer: random.whole(0, payers - 1),
        asset: random.next() < 0.25 ? 'EURC' : 'USDC',
        flow,
        fails: flow === 'upfront' && random.next() < 0.25,
      };
    });
    bursts.push({ kind: isBulk ? 'bulk' : 'paid', at, calls });
    made += size;
  }
  return bursts;
}

/** Calls of the last seconds of a month that get their places when the next one is two days old. */
function lateCalls(accounts: readonly PlannedAccount[], months: readonly Period[]): readonly Happening[] {
  return months.slice(1).flatMap(({ start }): readonly Happening[] => {
    const occurredAt = new Date(start.getTime() - 5_000);
    const at = new Date(start.getTime() + 2 * dayMs);
    // Their terms are the same at both times.
    const steady = [...accounts.entries()].filter(
      ([, { opensAt, change, closesAt }]) =>
        opensAt < occurredAt &&
        (change === null || change.at < occurredAt || change.at > at) &&
        (closesAt === null || closesAt > at),
    );
    const late = steady.slice(0, Math.ceil(accounts.length / 10));
    return late.map(([account]) => ({ kind: 'late', at, account, occurredAt }));
  });
}

/** What is rare, and what goes wrong, in the last days of the last month. */
function incidents({ end }: Span): readonly Happening[] {
  const before = (days: number): Date => new Date(end.getTime() - days * dayMs);
  return [
    { kind: 'beyond', at: before(4) },
    { kind: 'crash', at: before(3.75) },
    { kind: 'reorg', at: before(3.5) },
    { kind: 'dropped', at: before(3.25) },
    { kind: 'uncollectable', at: before(3) },
  ];
}

/** Terms are dated to the second. */
function seconds(ms: number): Date {
  return new Date(Math.floor(ms / 1_000) * 1_000);
}
