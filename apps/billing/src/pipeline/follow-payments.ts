import { beginLife, continueLife, type PaymentLife } from '../intake/payment-life.js';
import type { PaymentRow } from '../intake/payment-of.js';
import type { PaymentTurn } from '../ledger/flows.js';
import { codeOf } from '../token.js';

/** What new rows change in the payments that they tell of. */
export interface Followed {
  /** What the ledger takes from it, in the order of the log. */
  readonly turns: readonly PaymentTurn[];
  /** Entries that name another which they cannot be of, with the reason. */
  readonly strays: ReadonlyMap<string, string>;
}

/**
 * Follows payments through rows in the order of the log, on from where they stood. The outcome depends on the rows and
 * their order alone, not on how they were divided into batches.
 */
export function followPayments(rows: readonly PaymentRow[], before: ReadonlyMap<string, PaymentLife>): Followed {
  const lives = new Map(before);
  const turns: PaymentTurn[] = [];
  const strays = new Map<string, string>();
  for (const row of rows) {
    if (row.callId === null) {
      const begun = beginLife(row);
      if (begun !== null) lives.set(row.entryId, begun);
      continue;
    }
    const life = lives.get(row.callId);
    if (life === undefined) {
      strays.set(row.entryId, 'The entry names an entry that is not in the books.');
      continue;
    }
    const next = continueLife(life, row);
    if (typeof next === 'string') {
      strays.set(row.entryId, next);
      continue;
    }
    lives.set(row.callId, next);
    turns.push(...turnOf(row, life, next));
  }
  return { turns, strays };
}

function turnOf(row: PaymentRow, before: PaymentLife, after: PaymentLife): readonly PaymentTurn[] {
  const kind = kindOf(before, after);
  if (kind === null) return [];
  const { outcome, entryId, network, amount, issuedAt: occurredAt } = row;
  const sku = before.base.outcome === 'refund-due' ? null : before.base.sku;
  return [{ kind, source: `${outcome}:${entryId}`, network, asset: codeOf(row), sku, amount, occurredAt }];
}

function kindOf({ state: before }: PaymentLife, { state: after }: PaymentLife): PaymentTurn['kind'] | null {
  if (after === 'written-off') return 'write-off';
  if (after === 'reversed') return 'dropped';
  return before === 'reversed' && after !== 'lost' ? 'restored' : null;
}
