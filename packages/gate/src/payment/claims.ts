import { GroupCommit } from '@keyfare/db/group-commit';
import type { Sql, SqlPool } from '@keyfare/db/sql';
import { Logger } from '@nestjs/common';
import { Releases } from '../releases.js';
import type { PaymentHold } from './call.js';
import {
  adoptPayments,
  claimPayments,
  claimRows,
  forgetExposures,
  releaseAbandonedClaims,
  releaseClaims,
  selectByAuthorization,
  selectByExchange,
  selectOwnClaims,
  selectUnserved,
} from './claim.sql.js';
import { lockTotals, recountTotals } from './exposure.sql.js';
import type { PaymentRow } from './payment-row.js';

/** What is open up to and including a claim: by its payer, and by all where it is deferred. Atomic units. */
export interface Open {
  readonly byPayer: bigint;
  readonly byAll: bigint;
}

/** A claim that was won. */
interface Won extends Open {
  readonly won: true;
}

/** `blocked`: the payer is on the block list. Else another exchange has the payment. */
export type Claim = Won | { readonly won: false; readonly blocked?: true };

/** A payment under way that is this process's to follow. */
export interface Owned {
  readonly exchangeId: string;
  /** Taken over just now. */
  readonly adopted: boolean;
}

/** The claims of this process, in groups. */
export class Claims {
  readonly #sql: SqlPool;
  readonly #claims: GroupCommit<PaymentHold, Claim>;
  readonly #releases: Releases;

  constructor(
    sql: SqlPool,
    private readonly replica: { readonly id: string },
    private readonly now: () => Date,
  ) {
    this.#sql = sql;
    this.#claims = new GroupCommit({ write: (holds) => this.#write(holds), waitsInDoubt: false });
    this.#releases = new Releases(sql, { name: 'keyfare_release_claims', text: releaseClaims }, new Logger('Payment'));
  }

  /**
   * Makes the payment this exchange's own: true for exactly one exchange, however many present it. The exposure that
   * comes back counts this claim and those before it, so that of two claims for one balance the first passes. When it
   * rejects, release the claim: it may have been made.
   */
  claim(hold: PaymentHold): Promise<Claim> {
    return this.#claims.commit(hold);
  }

  /**
   * What `claim` would answer now. The claim is made and undone in one transaction, so nothing of it stays; whoever
   * claims the same payment meanwhile waits for that and wins.
   */
  async rehearse(hold: PaymentHold): Promise<Claim> {
    const undone = new Error('undone');
    let found: Claim | undefined;
    const rehearsed = this.#sql.transaction(async (tx) => {
      [found] = await this.#write([hold], tx);
      throw undone;
    });
    await rehearsed.catch((error: unknown) => {
      if (error !== undone) throw error;
    });
    return found ?? { won: false };
  }

  /**
   * Gives the claim up; the authorization may be presented again. Resolves when that is done, or when the database
   * cannot do it now: then it is tried until it has or the process ends, and a peer's sweep does it. Never rejects.
   */
  async release(exchangeId: string): Promise<void> {
    await this.#releases.releaseOrGoOn(exchangeId);
  }

  async find(hold: Pick<PaymentHold, 'network' | 'asset' | 'payer' | 'nonce'>): Promise<PaymentRow | undefined> {
    const values = [hold.network, hold.asset, hold.payer, hold.nonce];
    const [row] = await this.#sql.query<PaymentRow>({
      name: 'keyfare_find_payment',
      text: selectByAuthorization,
      values,
    });
    return row;
  }

  async findByExchange(ids: readonly string[]): Promise<readonly PaymentRow[]> {
    return this.#sql.query<PaymentRow>({ name: 'keyfare_find_exchanges', text: selectByExchange, values: [ids] });
  }

  /**
   * Within the caller's transaction: gives up what dead processes claimed, and this one before `ownBefore`, and takes
   * over what dead ones were settling. Answers all such payments that are this process's own.
   */
  async sweep(tx: Sql, deadReplicas: readonly string[], ownBefore: Date): Promise<readonly Owned[]> {
    await tx.query({
      name: 'keyfare_release_abandoned',
      text: releaseAbandonedClaims,
      values: [deadReplicas, this.replica.id, ownBefore],
    });
    const owned = await tx.query<{ exchange_id: string; adopted: boolean }>({
      name: 'keyfare_adopt_payments',
      text: adoptPayments,
      values: [this.replica.id, deadReplicas],
    });
    await tx.query({ name: 'keyfare_forget_exposures', text: forgetExposures });
    await tx.query({ name: 'keyfare_lock_totals', text: lockTotals });
    await tx.query({ name: 'keyfare_recount_totals', text: recountTotals });
    return owned.map(({ exchange_id: exchangeId, adopted }) => ({ exchangeId, adopted }));
  }

  /** Upfront payments that moved, and whose call nobody works on. */
  async unserved(ownBefore: Date): Promise<readonly PaymentRow[]> {
    const rows = await this.#sql.query<{ exchange_id: string }>({
      name: 'keyfare_unserved',
      text: selectUnserved,
      values: [this.replica.id, ownBefore],
    });
    return rows.length === 0 ? [] : this.findByExchange(rows.map(({ exchange_id }) => exchange_id));
  }

  /** Lets releases under way finish; while the database is away, only those that are already sent. */
  async close(): Promise<void> {
    await Promise.all([this.#claims.close(), this.#releases.stop()]);
    await this.#releases.close();
  }

  async #write(holds: readonly PaymentHold[], sql: Sql = this.#sql): Promise<readonly Claim[]> {
    const now = this.now();
    const rows = await sql.query<ClaimedRow>({
      name: 'keyfare_claim_payments',
      text: claimPayments,
      values: [...claimRows.values(holds.map((hold) => ({ ...hold, claimedAt: now }))), this.replica.id],
    });
    const blocked = new Set(rows.flatMap((row) => (row.open === null ? [row.exchange_id] : [])));
    const openAfter = new Map(rows.flatMap((row) => (row.open === null ? [] : [[row.exchange_id, openOf(row)]])));
    await this.#recognise(
      holds.filter(({ exchangeId }) => !blocked.has(exchangeId)),
      openAfter,
    );
    return accumulate(holds, openAfter).map((claim, index) =>
      blocked.has(holds[index]?.exchangeId ?? '') ? { won: false, blocked: true } : claim,
    );
  }

  /** After a lost connection the rows may be there because this very group wrote them: those are won too. */
  async #recognise(holds: readonly PaymentHold[], openAfter: Map<string, Open>): Promise<void> {
    const missing = holds.filter((hold) => !openAfter.has(hold.exchangeId)).map((hold) => hold.exchangeId);
    if (missing.length === 0) return;
    const values = [missing];
    const rows = await this.#sql.query<ClaimedRow>({ name: 'keyfare_own_claims', text: selectOwnClaims, values });
    for (const row of rows) openAfter.set(row.exchange_id, openOf(row));
  }
}

interface ClaimedRow {
  readonly exchange_id: string;
  /** Null: the payer is blocked. */
  readonly open: string | null;
  /** Null where the claim is not of a deferred payment. */
  readonly total: string | null;
}

function openOf({ open, total }: ClaimedRow): Open {
  return { byPayer: BigInt(open ?? 0), byAll: BigInt(total ?? 0) };
}

/** What is open after the whole group, turned into what is open after each claim, in their order. */
function accumulate(holds: readonly PaymentHold[], openAfter: ReadonlyMap<string, Open>): readonly Claim[] {
  const later = new Map<string, bigint>();
  const before = (key: string, open: bigint, { amount }: PaymentHold): bigint => {
    const after = later.get(key) ?? 0n;
    later.set(key, after + amount);
    return open - after;
  };
  const results: Claim[] = [];
  for (const hold of holds.toReversed()) {
    const open = openAfter.get(hold.exchangeId);
    const all = `${hold.network} ${hold.asset}`;
    if (open === undefined) results.push({ won: false });
    else {
      const byAll = hold.flow === 'deferred' ? before(all, open.byAll, hold) : 0n;
      results.push({ won: true, byPayer: before(`${all} ${hold.payer}`, open.byPayer, hold), byAll });
    }
  }
  return results.toReversed();
}
