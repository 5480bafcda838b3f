import type { PlanTerms, Quote } from '@keyfare/core/metering';
import { monthOf } from '@keyfare/core/time';
import { asProblem, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { Bucket, type KeyHold, type KeyRefusal } from './bucket.js';
import { changeLimit, lockAccount, openAllowance, returnLeasesOfReplica, returnOrphanedLeases } from './lease.sql.js';
import { Leases } from './leases.js';

const idleAfterMs = 3_000;
/** A process that ends cannot wait for a database for ever; what it cannot give back is swept by its peers. */
const closingPausesMs = [100, 400, 1_500];

/** What an account used of a month. */
export interface AllowanceSummary {
  readonly periodStart: Date;
  readonly limitUnits: bigint | null;
  readonly used: bigint;
}

/**
 * Admits calls against an account's allowance: exact over all processes, without asking the database for each call. A
 * process leases units in blocks and holds against its lease in memory; the post takes them off both in one
 * transaction. What a process does not use it gives back when another asks, or soon by itself.
 */
@Injectable()
export class MeterService {
  readonly #logger = new Logger('Meter');
  readonly #buckets = new Map<string, Bucket>();
  readonly #opening = new Map<string, Promise<Bucket>>();
  readonly #leases: Leases;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {
    this.#leases = new Leases(sql, replica.id);
  }

  /** Sets the quote's units aside, or says why it cannot. 503 when the database cannot be asked. */
  hold(
    account: { accountId: string; plan: PlanTerms },
    quote: Quote,
    at: Date,
  ): KeyHold | Promise<KeyHold | KeyRefusal> {
    const { start } = monthOf(at);
    const { units } = quote;
    const leased = account.plan.overage !== 'invoice';
    const key = `${account.accountId} ${start.getTime()}`;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      return this.#open(key, new Bucket(account.accountId, start)).then((opened) =>
        leased ? this.#hold(opened, units) : { rail: 'key', bucket: opened, units, leased },
      );
    }
    if (!leased) return { rail: 'key', bucket, units, leased };
    bucket.lastUsedMs = performance.now();
    return bucket.take(units) ? { rail: 'key', bucket, units, leased } : this.#hold(bucket, units);
  }

  /** Gives a hold up: the units are free for the next call. */
  void(hold: KeyHold): void {
    if (hold.leased) hold.bucket.release(hold.units);
  }

  /** The hold's call is posted: its units are used, and no longer leased. */
  posted(hold: KeyHold): void {
    if (hold.leased) hold.bucket.held -= hold.units;
  }

  /** The lease behind this hold was taken back: what the bucket believed to hold is gone, or some of it. */
  forget({ bucket, units }: KeyHold): void {
    bucket.held -= units;
    bucket.free = 0n;
    bucket.doubtful = true;
  }

  /** Another process needs units of this account: all that are idle here go back. */
  async giveBack(accountId: string): Promise<void> {
    for (const bucket of this.#buckets.values()) {
      if (bucket.accountId === accountId) await this.#leases.giveBack(bucket);
    }
  }

  /** Terms changed, so what was known about the limit may be wrong. */
  async announceAccount(accountId: string): Promise<void> {
    for (const bucket of this.#buckets.values()) {
      if (bucket.accountId !== accountId) continue;
      bucket.deniedUntilMs = 0;
      bucket.unusedUntilMs = 0;
      await this.#leases.giveBack(bucket);
    }
  }

  /** Gives back what was idle for a while, finds what was lost sight of, and forgets months that are over. */
  async tidy(): Promise<void> {
    const nowMs = performance.now();
    const { start } = monthOf(this.config.clock());
    for (const [key, bucket] of this.#buckets) {
      const settled = bucket.loose && bucket.held === 0n;
      if (bucket.doubtful || settled || nowMs - bucket.lastUsedMs > idleAfterMs) await this.#leases.giveBack(bucket);
      if (bucket.periodStart < start && !bucket.leased) this.#buckets.delete(key);
    }
  }

  /** Gives everything back, at the end of the process: every call has ended, so nothing of a lease is held. */
  async close(): Promise<void> {
    for (const bucket of this.#buckets.values()) await bucket.returning;
    this.#buckets.clear();
    for (const pauseMs of [...closingPausesMs, null]) {
      try {
        await this.sql.query({ text: returnLeasesOfReplica, values: [this.replica.id] });
        return;
      } catch (error) {
        this.#logger.warn(error);
        if (pauseMs !== null) await new Promise((wake) => setTimeout(wake, pauseMs));
      }
    }
  }

  /** This process was believed dead and its leases are gone. */
  reset(): void {
    for (const bucket of this.#buckets.values()) bucket.free = 0n;
  }

  /** Takes back the leases of processes that are not among the living, within the caller's transaction. */
  async sweep(tx: Sql): Promise<void> {
    await tx.query({ name: 'keyfare_return_orphaned_leases', text: returnOrphanedLeases });
  }

  /** Applies the account's terms to the running month, within the transaction that changed them. */
  async changeTerms(tx: Sql, accountId: string): Promise<void> {
    await tx.query({ text: changeLimit, values: [accountId, monthOf(this.config.clock()).start] });
  }

  /** The account's month, as the database counts it. */
  async summary(accountId: string, periodStart: Date): Promise<AllowanceSummary> {
    const [row] = await this.sql.query<{ limit_units: string | null; used: string }>({
      text: 'select limit_units, used from keyfare.allowance where account_id = $1 and period_start = $2',
      values: [accountId, periodStart],
    });
    return {
      periodStart,
      limitUnits: row?.limit_units === null || row === undefined ? null : BigInt(row.limit_units),
      used: BigInt(row?.used ?? 0),
    };
  }

  /** Opens the month under a lock on the account: terms that change at this moment are those before or those after. */
  async #open(key: string, bucket: Bucket): Promise<Bucket> {
    const under = this.#opening.get(key);
    if (under !== undefined) return under;
    const opening = this.sql
      .transaction(async (tx) => {
        await tx.query({ name: 'keyfare_lock_account', text: lockAccount, values: [bucket.accountId] });
        const values = [bucket.accountId, bucket.periodStart];
        await tx.query({ name: 'keyfare_open_allowance', text: openAllowance, values });
      })
      .then(() => {
        this.#buckets.set(key, bucket);
        return bucket;
      })
      .catch((error: unknown) => {
        throw asProblem(error);
      })
      .finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  async #hold(bucket: Bucket, units: bigint): Promise<KeyHold | KeyRefusal> {
    const hold: KeyHold = { rail: 'key', bucket, units, leased: true };
    bucket.lastUsedMs = performance.now();
    if (bucket.take(units)) return hold;
    const nowMs = performance.now();
    const isExhausted = units > bucket.unused && nowMs < bucket.unusedUntilMs;
    if (isExhausted || nowMs < bucket.deniedUntilMs) return bucket.refusal(units);
    const answer = bucket.wait(units);
    this.#leases.serve(bucket);
    const given = await answer;
    return given === 'granted' ? hold : given;
  }
}
