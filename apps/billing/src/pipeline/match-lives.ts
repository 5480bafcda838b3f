import type { Sql } from '@keyfare/db/sql';
import type { PaymentLife } from '../intake/payment-life.js';
import { matchPayments, type Recorded } from '../match/match-payments.js';
import { keyName, type PaymentKey, readLives } from './payments.sql.js';

/** Matches payments by their lives, which are all of the lives that are booked of them. */
export async function matchLives(
  tx: Sql,
  keys: readonly PaymentKey[],
  { lives, now }: { lives: ReadonlyMap<string, PaymentLife>; now: Date },
): Promise<void> {
  const recorded = recordedOf(lives);
  await matchPayments(tx, keys, { recorded: (key) => recorded.get(keyName(key)), now });
}

/** Matches anew what transfers paid that have come or gone. */
export async function matchTransfers(tx: Sql, ids: readonly string[], now: Date): Promise<void> {
  const keys = await tx.query<PaymentKey>({
    text: `select distinct network, asset, authorizer as payer, nonce from billing.chain_transfer
      where id = any($1::uuid[]) and authorizer is not null`,
    values: [ids],
  });
  if (keys.length > 0) await matchLives(tx, keys, { lives: await readLives(tx, keys), now });
}

function recordedOf(lives: ReadonlyMap<string, PaymentLife>): ReadonlyMap<string, Recorded> {
  const recorded = new Map<string, Recorded>();
  for (const { base, state } of lives.values()) {
    const name = keyName(base);
    const first = recorded.get(name);
    if (first !== undefined) {
      recorded.set(name, { ...first, repeated: true });
      continue;
    }
    const moved = state === 'settled' || state === 'collected' || state === 'owed';
    const isVoid = state === 'reversed' && base.outcome === 'refund-due';
    recorded.set(name, { entryId: base.entryId, amount: base.amount, moved, void: isVoid, repeated: false });
  }
  return recorded;
}
