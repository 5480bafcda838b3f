import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import { allocate, formatMoney, money, toCents } from '@keyfare/core/money';
import { dateIn, isStartOfDay } from '@keyfare/core/time';
import type { BillingPeriod } from '../billing-periods.js';

/** Terms of an account, as far as an invoice needs them; prices in micro-dollars. */
export interface InvoicedTerms {
  readonly accountName: string;
  readonly planSlug: string;
  readonly planVersion: bigint;
  readonly monthlyPrice: bigint;
  readonly effectiveAt: Date;
  /** From when on nothing is sold to the account; null: no end was agreed. */
  readonly endsAt: Date | null;
}

/** The calls by key of one product at one price, added up. */
export interface InvoicedCalls {
  readonly sku: string;
  readonly unitPrice: bigint;
  readonly included: bigint;
  readonly overage: bigint;
  /** `2026-10`, or the first day, of calls of that period which were read after its invoice was final. */
  readonly lateFrom?: string | undefined;
}

/** What a whole period comes to at least, in micro-dollars, and for which part of this one the contract holds. */
export interface InvoicedCommit {
  readonly amount: bigint;
  readonly since: Date;
  readonly until: Date;
}

/** What an operator adds to the invoice, or below 0 takes from it, in micro-dollars. */
export interface InvoicedAdjustment {
  readonly id: string;
  readonly description: string;
  /** All of it, and what of it is on no final invoice. */
  readonly amount: bigint;
  readonly left: bigint;
  /** Whether it is paid ahead, for later invoices to draw on. */
  readonly prepaid: boolean;
}

export interface DraftInput {
  readonly account: string;
  readonly period: BillingPeriod;
  /** All of the account, in the order in which they apply. */
  readonly terms: readonly InvoicedTerms[];
  readonly calls: readonly InvoicedCalls[];
  /** Null where the contract has none. */
  readonly commit: InvoicedCommit | null;
  /** In the order in which they were made. */
  readonly adjustments: readonly InvoicedAdjustment[];
  /** What the account has paid ahead and not used, in micro-dollars. */
  readonly prepaid: bigint;
  readonly receipts: bigint;
  readonly firstEntry: string | null;
  readonly lastEntry: string | null;
}

export interface InvoiceLine {
  readonly kind: 'included' | 'overage' | 'plan' | 'commit' | 'adjustment' | 'prepaid';
  readonly description: string;
  readonly sku: string | null;
  readonly quantity: bigint;
  /** Micro-dollars; of a plan, the price of a whole period. */
  readonly unitPrice: bigint;
  /**
   * Micro-dollars: quantity times unit price, and of a plan its part of the period. What takes from the invoice has a
   * quantity of -1.
   */
  readonly amount: bigint;
}

/** A drawn-up invoice; amounts in micro-dollars, and what is to be paid in cents. */
export interface InvoiceDraft {
  readonly account: string;
  readonly accountName: string;
  readonly period: BillingPeriod;
  readonly lines: readonly InvoiceLine[];
  readonly total: bigint;
  readonly payableCents: bigint;
  readonly receipts: bigint;
  readonly firstEntry: string | null;
  readonly lastEntry: string | null;
  /** How many of the account's terms began before the period ended. */
  readonly terms: bigint;
  readonly digest: Buffer;
}

/**
 * Draws up an invoice: the units that the plan includes at nothing by product, the units beyond it by product and
 * price, the plan's monthly price for its part of the period, what a commit comes to beyond all that, and adjustments,
 * which never take it below nothing; and what is drawn on what was paid ahead. Depends on its input alone. Null when no
 * terms of the account apply to the period and no call was made in it; a call from just before the first terms, by a
 * clock that was behind, is invoiced without a plan.
 */
export function draftInvoice(input: DraftInput): InvoiceDraft | null {
  const { account, period, receipts, firstEntry, lastEntry, adjustments, commit } = input;
  const spans = planSpans(input.terms, period);
  const hasMore = adjustments.length > 0 || commit !== null;
  const alone = receipts > 0n ? input.terms[0] : hasMore ? input.terms.at(-1) : undefined;
  const named = spans.at(-1)?.terms ?? alone;
  if (named === undefined) return null;
  const { accountName } = named;
  const billed = [...servedLines(input, spans), ...adjustmentsOn(input).map(({ line }) => line)];
  const lines = [...billed, ...drawnLines(input, billed)];
  const terms = BigInt(input.terms.filter(({ effectiveAt }) => effectiveAt < period.end).length);
  const total = lines.reduce((sum, { amount }) => sum + amount, 0n);
  const payableCents = toCents(money('USD', total), 'halfEven');
  const content = { account, accountName, period, lines, total, payableCents, receipts, firstEntry, lastEntry, terms };
  return { ...content, digest: digestOf(content) };
}

/** Whether there is nothing to invoice: no call was made, and no plan of the period has a price. */
export function isIdle({ receipts, lines }: Pick<InvoiceDraft, 'receipts' | 'lines'>): boolean {
  return receipts === 0n && lines.every(({ unitPrice, amount }) => unitPrice === 0n && amount === 0n);
}

/** The fee of a plan for a part of a period, on a line of the invoice. */
export interface PlanFee {
  readonly line: number;
  readonly slug: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly amount: bigint;
}

/** The plan fees of the invoice that `draftInvoice` draws up of the same. */
export function planFees({ calls, terms, period }: DraftInput): readonly PlanFee[] {
  const spans = planSpans(terms, period);
  const before = usageLines(calls).length;
  const lines = planLines(spans, period);
  return spans.map(({ terms: { planSlug: slug }, fromMs, toMs }, index) => ({
    line: before + index + 1,
    slug,
    fromMs,
    toMs,
    amount: lines[index]?.amount ?? 0n,
  }));
}

/** What the invoice that `draftInvoice` draws up of the same takes of adjustments; `line` is its number there. */
export function takenAdjustments(
  input: DraftInput,
): readonly { readonly line: number; readonly adjustment: string; readonly amount: bigint }[] {
  const before = servedLines(input, planSpans(input.terms, input.period)).length;
  return adjustmentsOn(input).map(({ id, line: { amount } }, index) => {
    return { line: before + index + 1, adjustment: id, amount };
  });
}

function servedLines({ calls, period, commit }: DraftInput, spans: readonly Span[]): readonly InvoiceLine[] {
  const lines = [...usageLines(calls), ...planLines(spans, period)];
  return commit === null ? lines : [...lines, ...commitLines(commit, period, lines)];
}

/** What is missing from the usage and the fees to the commit, of a part of the period to that part of it. */
function commitLines(
  { amount: whole, since, until }: InvoicedCommit,
  period: BillingPeriod,
  lines: readonly InvoiceLine[],
): readonly InvoiceLine[] {
  const heldMs = BigInt(until.getTime() - since.getTime());
  const wholeMs = BigInt(period.whole.end.getTime() - period.whole.start.getTime());
  const least = allocate(money('USD', whole), [heldMs, wholeMs - heldMs])[0]?.atomic ?? 0n;
  const used = lines.reduce((sum, { amount }) => sum + amount, 0n);
  const amount = least - used;
  if (amount <= 0n) return [];
  const part = heldMs === wholeMs ? '' : `, ${partOf(since.getTime(), until.getTime(), period)}`;
  const description = `Minimum of ${dollars(least)} USD, of which ${dollars(used)} was used${part}`;
  return [{ kind: 'commit', description, sku: null, quantity: 1n, unitPrice: amount, amount }];
}

/** What is added, and then what is taken: of each as much as the invoice has, and the rest on later ones. */
function adjustmentsOn(input: DraftInput): readonly { readonly id: string; readonly line: InvoiceLine }[] {
  const { adjustments, terms, period } = input;
  const debits = adjustments.filter(({ left }) => left > 0n);
  const served = servedLines(input, planSpans(terms, period)).reduce((sum, { amount }) => sum + amount, 0n);
  let due = debits.reduce((sum, { left }) => sum + left, served);
  const credits = adjustments
    .filter(({ left }) => left < 0n)
    .map(({ id, description, amount, left, prepaid }) => {
      const taken = -left < due ? -left : due;
      due -= taken;
      return { id, description, amount, left: -taken, prepaid };
    });
  return [...debits, ...credits]
    .filter(({ left }) => left !== 0n)
    .map(({ id, description, amount, left, prepaid }) => {
      const size = left < 0n ? -left : left;
      const part = left === amount ? '' : `, ${dollars(size)} of ${dollars(amount < 0n ? -amount : amount)} USD`;
      const name = prepaid ? 'Paid ahead' : amount < 0n ? 'Credit' : 'Charge';
      const kind = prepaid ? 'prepaid' : 'adjustment';
      const said = `${name}: ${description}${part}`;
      const quantity = left < 0n ? -1n : 1n;
      const line = {
        kind,
        description: said,
        sku: null,
        quantity,
        unitPrice: size,
        amount: left,
      } as const;
      return { id, line };
    });
}

/** What was paid ahead takes off as much as there is to pay but for what is paid ahead by this invoice. */
function drawnLines({ prepaid }: DraftInput, lines: readonly InvoiceLine[]): readonly InvoiceLine[] {
  const due = lines.reduce((sum, { kind, amount }) => (kind === 'prepaid' ? sum : sum + amount), 0n);
  const drawn = prepaid < due ? prepaid : due;
  if (drawn <= 0n) return [];
  const description = `Drawn on what was paid ahead; ${dollars(prepaid - drawn)} USD are left`;
  return [{ kind: 'prepaid', description, sku: null, quantity: -1n, unitPrice: drawn, amount: -drawn }];
}

/** With two decimals, or with six where there are parts of a cent. */
function dollars(micros: bigint): string {
  return formatMoney(money('USD', micros)).replace(/0000$/u, '');
}

interface Span {
  readonly terms: InvoicedTerms;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Which terms hold for which part of the period. An account that was opened in its course has none before that, and
 * none after the end of its contract. Terms without an end are taken to hold to the period's, so that the draft of a
 * running one does not change with the clock.
 */
function planSpans(terms: readonly InvoicedTerms[], { start, end }: BillingPeriod): readonly Span[] {
  const applicable = terms.filter(({ effectiveAt }) => effectiveAt < end);
  const before = applicable.findLastIndex(({ effectiveAt }) => effectiveAt <= start);
  const held = applicable.slice(Math.max(before, 0));
  const spans = held.map((each, index) => ({
    terms: each,
    fromMs: Math.max(start.getTime(), each.effectiveAt.getTime()),
    toMs: Math.min(
      held[index + 1]?.effectiveAt.getTime() ?? end.getTime(),
      each.endsAt?.getTime() ?? Number.POSITIVE_INFINITY,
      end.getTime(),
    ),
  }));
  return spans.filter(({ fromMs, toMs }) => fromMs < toMs);
}

/** The period's own calls, and then those of each earlier one that were read too late for its invoice. */
function usageLines(calls: readonly InvoicedCalls[]): readonly InvoiceLine[] {
  const months = [...new Set(calls.flatMap(({ lateFrom }) => (lateFrom === undefined ? [] : [lateFrom])))].toSorted();
  const linesOf = (month: string | undefined): readonly InvoiceLine[] => {
    const some = calls.filter(({ lateFrom }) => lateFrom === month);
    return includedLines(some).concat(overageLines(some));
  };
  const late = months.flatMap((month) =>
    linesOf(month).map(({ description, ...rest }) => {
      return Object.assign(rest, { description: `${description}, of ${month}, read after its invoice` });
    }),
  );
  return linesOf(undefined).concat(late);
}

/** One for each product: what of it the plan gave, whatever its price was. */
function includedLines(calls: readonly InvoicedCalls[]): readonly InvoiceLine[] {
  const units = new Map<string, bigint>();
  for (const { sku, included } of calls) units.set(sku, (units.get(sku) ?? 0n) + included);
  return [...units]
    .filter(([, quantity]) => quantity > 0n)
    .toSorted(([a], [b]) => compare(a, b))
    .map(([sku, quantity]) => ({
      kind: 'included',
      description: `Units included in the plan: ${sku}`,
      sku,
      quantity,
      unitPrice: 0n,
      amount: 0n,
    }));
}

function overageLines(calls: readonly InvoicedCalls[]): readonly InvoiceLine[] {
  const byProduct = calls
    .filter(({ overage }) => overage > 0n)
    .toSorted((a, b) => (a.sku === b.sku ? compare(a.unitPrice, b.unitPrice) : compare(a.sku, b.sku)));
  return byProduct.map(({ sku, unitPrice, overage: quantity }) => ({
    kind: 'overage',
    description: `Units beyond the plan: ${sku}`,
    sku,
    quantity,
    unitPrice,
    amount: quantity * unitPrice,
  }));
}

/**
 * The price of each plan for its part of the period. Each price is allocated over the whole period, the time without a
 * plan, and what is cut off, included: so the parts of one price never come to more than that price, and to exactly it
 * when the period is full.
 */
function planLines(spans: readonly Span[], period: BillingPeriod): readonly InvoiceLine[] {
  const [startMs, endMs] = [period.whole.start.getTime(), period.whole.end.getTime()];
  const heldMs = spans.map(({ fromMs, toMs }) => toMs - fromMs);
  const idleMs = endMs - startMs - heldMs.reduce((sum, ms) => sum + ms, 0);
  const lengths = [idleMs, ...heldMs].map(BigInt);
  return spans.map(({ terms, fromMs, toMs }, index) => {
    const { planSlug, planVersion, monthlyPrice } = terms;
    const amount = allocate(money('USD', monthlyPrice), lengths)[index + 1]?.atomic ?? 0n;
    const name = `Plan ${planSlug}, version ${planVersion}`;
    const description = fromMs === startMs && toMs === endMs ? name : `${name}: ${partOf(fromMs, toMs, period)}`;
    return { kind: 'plan', description, sku: null, quantity: 1n, unitPrice: monthlyPrice, amount };
  });
}

const dayMs = 86_400_000;

/**
 * `12 of 30 days, 2026-11-01 to 2026-11-12`, by the days of the zone; a part that begins or ends within a day is told
 * by its times.
 */
function partOf(fromMs: number, toMs: number, { whole, timeZone }: BillingPeriod): string {
  const [from, to] = [new Date(fromMs), new Date(toMs)];
  if (!isStartOfDay(timeZone, from) || !isStartOfDay(timeZone, to))
    return `${from.toISOString()} to ${to.toISOString()}`;
  const dayOf = (at: Date): number => Date.parse(dateIn(timeZone, at)) / dayMs;
  const days = `${dayOf(to) - dayOf(from)} of ${dayOf(whole.end) - dayOf(whole.start)} days`;
  return `${days}, ${dateIn(timeZone, from)} to ${dateIn(timeZone, new Date(toMs - 1))}`;
}

function compare<T extends string | bigint>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function digestOf(content: Omit<InvoiceDraft, 'digest'>): Buffer {
  const { period, lines, total, payableCents, receipts, terms, ...rest } = content;
  const said = {
    ...rest,
    periodStart: period.start.toISOString(),
    periodEnd: period.end.toISOString(),
    ...(period.timeZone !== 'UTC' && { timeZone: period.timeZone }),
    lines: lines.map(({ kind, description, sku, quantity, unitPrice, amount }) => ({
      kind,
      description,
      sku,
      quantity: quantity.toString(),
      unitPrice: unitPrice.toString(),
      amount: amount.toString(),
    })),
    total: total.toString(),
    payableCents: payableCents.toString(),
    receipts: receipts.toString(),
    terms: terms.toString(),
  };
  return createHash('sha256').update(canonicalJson(said)).digest();
}
