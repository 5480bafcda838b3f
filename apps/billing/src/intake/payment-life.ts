import type { PaymentRow } from './payment-of.js';

/**
 * Where a payment stands by what the log says. `settled`, `collected` and `owed` say that money has moved: for a call,
 * for one that was served on credit, for nothing. `deferred` is a call on credit whose money has not. `reversed` and
 * `lost` are settled payments that the chain dropped, `written-off` is a call on credit that was given up.
 */
export type PaymentState = 'settled' | 'deferred' | 'collected' | 'owed' | 'reversed' | 'lost' | 'written-off';

/** A payment, from the entry that brought it in to the last one that told of it. */
export interface PaymentLife {
  readonly base: PaymentRow;
  readonly state: PaymentState;
  /** The transaction that the log says moved the money; null while it says of none. */
  readonly transaction: string | null;
}

/** The state of a payment with the entry that brings it in; null for an entry that brings none in. */
export function beginLife(base: PaymentRow): PaymentLife | null {
  const { outcome, transaction } = base;
  if (outcome === 'settled' || outcome === 'deferred') return { base, state: outcome, transaction };
  return outcome === 'refund-due' ? { base, state: 'owed', transaction } : null;
}

/** The payment after an entry that names it, or why the entry cannot be of this payment. */
export function continueLife(life: PaymentLife, row: PaymentRow): PaymentLife | string {
  if (!isSamePayment(life.base, row)) return 'The entry names an entry of another payment.';
  switch (row.outcome) {
    case 'settlement':
      return settle(life, row);
    case 'reversed':
      return reverse(life, row);
    case 'unpaid':
      return giveUp(life);
    case 'settled':
    case 'deferred':
    case 'refund-due':
    default:
      return 'The entry is none that tells how a payment went on.';
  }
}

function settle(life: PaymentLife, { transaction }: PaymentRow): PaymentLife | string {
  if (life.state === 'written-off' || life.state === 'lost') return 'The payment was given up before.';
  if (life.transaction === transaction && life.state !== 'reversed' && life.state !== 'deferred') {
    return 'The log has told of this settlement before.';
  }
  return { ...life, transaction, state: moved(life.base) };
}

function reverse(life: PaymentLife, { transaction }: PaymentRow): PaymentLife | string {
  if (life.state !== moved(life.base)) return 'No settlement of the payment is known that could be reversed.';
  if (life.transaction !== transaction) return 'The entry reverses another transaction than settled the payment.';
  return life.state === 'collected'
    ? { ...life, transaction: null, state: 'deferred' }
    : { ...life, state: 'reversed' };
}

function giveUp(life: PaymentLife): PaymentLife | string {
  if (life.state === 'deferred') return { ...life, state: 'written-off' };
  if (life.state === 'reversed' && life.base.outcome === 'settled') return { ...life, state: 'lost' };
  return 'The payment is none that could be given up.';
}

/** The state of a payment whose money has moved. */
function moved({ outcome }: PaymentRow): PaymentState {
  if (outcome === 'deferred') return 'collected';
  return outcome === 'refund-due' ? 'owed' : 'settled';
}

function isSamePayment(one: PaymentRow, other: PaymentRow): boolean {
  const said = ['network', 'asset', 'payer', 'nonce', 'payTo', 'amount'] as const;
  return said.every((name) => one[name] === other[name]);
}

/** The payments of rows in the order of the log, by the entry that brought each in. */
export function livesOf(rows: readonly PaymentRow[]): ReadonlyMap<string, PaymentLife> {
  const lives = new Map<string, PaymentLife>();
  for (const row of rows) {
    const life = row.callId === null ? beginLife(row) : lives.get(row.callId);
    if (life === null || life === undefined) continue;
    const next = row.callId === null ? life : continueLife(life, row);
    if (typeof next !== 'string') lives.set(next.base.entryId, next);
  }
  return lives;
}
