/** An invoice that is to be paid, with whose it is; amounts in micro-dollars. */
export interface ProposedInvoice {
  readonly id: string;
  readonly number: string;
  readonly customerId: string;
  readonly customerName: string;
  readonly outstanding: bigint;
}

/** A payment of which something is open: `amount`. */
export interface UnmatchedPayment {
  readonly payer: string;
  readonly reference: string;
  readonly amount: bigint;
  /** Customers whose invoices this payer has paid before. */
  readonly knownCustomers: ReadonlySet<string>;
}

/**
 * Why a payment may be of an invoice. `number`: the reference names it, maybe among others. `amount`: it is exactly
 * what is to be paid of it. `sum`: of all open invoices of the customer. `name`: the payer is called as the customer,
 * or nearly. `known-payer`: an earlier payment of this payer was the customer's.
 */
export const proposalReasons = ['number', 'amount', 'sum', 'name', 'known-payer'] as const;
export type ProposalReason = (typeof proposalReasons)[number];

/** Invoices that a payment may be of, and how much of each it would pay. */
export interface Proposal {
  readonly customerId: string;
  readonly customerName: string;
  readonly invoices: readonly { readonly id: string; readonly number: string; readonly amount: bigint }[];
  /** From 0 to 99: it is never sure, or it would be a rule. */
  readonly confidence: number;
  readonly reasons: readonly ProposalReason[];
}

const points = { number: 50, amount: 40, sharedAmount: 25, sum: 40, name: 35, 'known-payer': 35 } as const;
const most = 99;
const mostProposals = 10;
const leastLikeness = 0.5;

/**
 * The invoices that a payment may be of, the likeliest first, ten at most: each with points for what speaks for it. The
 * amount alone counts less where several invoices have it.
 */
export function proposeInvoices(
  payment: UnmatchedPayment,
  open: readonly ProposedInvoice[],
  named: ReadonlySet<string>,
): readonly Proposal[] {
  if (payment.amount <= 0n) return [];
  const sameAmount = open.filter(({ outstanding }) => outstanding === payment.amount).length;
  const likeness = new Map<string, number>();
  const likenessOf = (name: string): number => {
    const known = likeness.get(name) ?? likenessOfNames(payment.payer, name);
    likeness.set(name, known);
    return known;
  };
  const whole = [...byCustomer(open).values()].filter(
    (invoices) => invoices.length > 1 && sumOf(invoices) === payment.amount,
  );
  const sets = [...open.map((invoice) => [invoice]), ...whole];
  return sets
    .flatMap((invoices) => {
      const [first] = invoices;
      if (first === undefined) return [];
      const { customerId, customerName } = first;
      const like = likenessOf(customerName);
      const scores: Partial<Record<ProposalReason, number>> = {
        ...(invoices.every(({ id }) => named.has(id)) && { number: points.number }),
        ...(invoices.length === 1 &&
          first.outstanding === payment.amount && { amount: sameAmount > 1 ? points.sharedAmount : points.amount }),
        ...(invoices.length > 1 && { sum: points.sum }),
        ...(like >= leastLikeness && { name: Math.round(points.name * like) }),
        ...(payment.knownCustomers.has(customerId) && { 'known-payer': points['known-payer'] }),
      };
      const score = Object.values(scores).reduce((sum, each) => sum + each, 0);
      if (score === 0) return [];
      const paid = takeUp(invoices, payment.amount);
      const reasons = proposalReasons.filter((reason) => scores[reason] !== undefined);
      return [{ customerId, customerName, invoices: paid, confidence: Math.min(most, score), reasons }];
    })
    .toSorted((a, b) => b.confidence - a.confidence || compare(a.invoices[0]?.number, b.invoices[0]?.number))
    .slice(0, mostProposals);
}

/**
 * How alike two names are, from 0 to 1: the part of their words that both have. Case, accents, points and legal forms
 * say nothing, and `ü` is `ue`.
 */
export function likenessOfNames(one: string, other: string): number {
  const [a, b] = [wordsOf(one), wordsOf(other)];
  if (a.size === 0 || b.size === 0) return 0;
  const both = [...a].filter((word) => b.has(word)).length;
  return (2 * both) / (a.size + b.size);
}

const legalForms = new Set(
  'AB AG AS BV CO COMPANY CORP CORPORATION EG EK EV GBR GMBH INC INCORPORATED KG KGAA LIMITED LLC LLP LTD MBH NV OG OHG OY PLC PTY SA SARL SAS SE SL SPA SRL UG'.split(
    ' ',
  ),
);
const letters: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', þ: 'th' };

function wordsOf(name: string): ReadonlySet<string> {
  const plain = name
    .toLowerCase()
    .replaceAll(/[ßæœøłđþ]/gu, (letter) => letters[letter] ?? letter)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toUpperCase()
    // Of `G.m.b.H.` and `S.A.` the points go, and the letters stay together.
    .replaceAll('.', '')
    // Banks write umlauts as two letters, customers do not.
    .replaceAll(/([AOU])E/gu, '$1');
  const words = plain.match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !legalForms.has(word)));
}

function byCustomer(open: readonly ProposedInvoice[]): ReadonlyMap<string, readonly ProposedInvoice[]> {
  const found = new Map<string, ProposedInvoice[]>();
  for (const invoice of open) {
    const some = found.get(invoice.customerId) ?? [];
    some.push(invoice);
    found.set(invoice.customerId, some);
  }
  return found;
}

function sumOf(invoices: readonly ProposedInvoice[]): bigint {
  return invoices.reduce((sum, { outstanding }) => sum + outstanding, 0n);
}

function takeUp(invoices: readonly ProposedInvoice[], amount: bigint): Proposal['invoices'] {
  let left = amount;
  return invoices.map(({ id, number, outstanding }) => {
    const taken = outstanding < left ? outstanding : left;
    left -= taken;
    return { id, number, amount: taken };
  });
}

function compare(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
