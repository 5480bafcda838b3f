import type { PlanTerms, Quote } from '@keyfare/core/metering';
import { monthOf } from '@keyfare/core/time';
import { asProblem, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { ReplicaId } from '../replica-id.js';
import { Bucket, type KeyHold } from './bucket.js';
import { changeLimit, leaseUnits, openAllowance, returnLeasesOfDead, returnUnits } from './lease.sql.js';

/** Over this a block gains nothing: one statement in a thousand calls is no cost. */
const largestBlock = 1_024n;
const idleAfterMs = 3_000;
/** No call runs so long; a bucket of old terms may be forgotten. */
const forgottenAfterMs = 3_600_000;
const deniedForMs = 1_000;
const recallPausesMs = [40, 120];

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
  readonly #buckets = new Map<string, Bucket>();
  readonly #opening = new Map<string, Promise<Bucket>>();
  /** Buckets of terms that no longer hold; calls under way may still give units back to them. */
  readonly #retired = new Set<Bucket>();

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {}

  /** Sets the quote's units aside; null when the allowance is used up. 503 when the database cannot be asked. */
  hold(account: { accountId: string; plan: PlanTerms }, quote: Quote, at: Date): KeyHold | Promise<KeyHold | null> {
    const { start } = monthOf(at);
    const limit = account.plan.overage === 'invoice' ? null : account.plan.includedUnits;
    const key = `${account.accountId} ${start.getTime()} ${limit ?? 'open'}`;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      return this.#open(key, new Bucket(account.accountId, start, limit)).then((opened) => this.#hold(opened, quote));
    }
    const { units } = quote;
    if (bucket.limit === null) return { rail: 'key', bucket, units, leased: false };
    bucket.lastUsedMs = performance.now();
    return bucket.take(units) ? { rail: 'key', bucket, units, leased: true } : this.#hold(bucket, quote);
  }

  /** Gives a hold up: the units are free for the next call. */
  void(hold: KeyHold): void {
    if (hold.leased) hold.bucket.add(hold.units);
  }

  /** The lease behind this hold was taken back: what the bucket believed to hold is gone. */
  forget(hold: KeyHold): void {
    hold.bucket.free = 0n;
  }

  /** Another process needs units of this account: all that are idle here go back. */
  async giveBack(accountId: string): Promise<void> {
    for (const bucket of this.#buckets.values()) {
      if (bucket.accountId === accountId) await this.#return(bucket);
    }
    for (const bucket of this.#retired) if (bucket.accountId === accountId) await this.#return(bucket);
  }

  /** Terms changed, so what was known about the limit may be wrong. */
  async announceAccount(accountId: string): Promise<void> {
    for (const [key, bucket] of this.#buckets) {
      if (bucket.accountId !== accountId) continue;
      this.#buckets.delete(key);
      this.#retired.add(bucket);
      await this.#return(bucket);
    }
  }

  /** Gives back what was idle for a while, and forgets months that are over. */
  async tidy(): Promise<void> {
    const nowMs = performance.now();
    const { start } = monthOf(this.config.clock());
    for (const [key, bucket] of this.#buckets) {
      if (nowMs - bucket.lastUsedMs > idleAfterMs) await this.#return(bucket);
      if (bucket.periodStart < start) {
        this.#buckets.delete(key);
        this.#retired.add(bucket);
      }
    }
    for (const bucket of this.#retired) {
      if (nowMs - bucket.lastUsedMs > forgottenAfterMs) this.#retired.delete(bucket);
      await this.#return(bucket);
    }
  }

  /** Gives everything back, at the end of the process. */
  async close(): Promise<void> {
    for (const bucket of [...this.#buckets.values(), ...this.#retired]) await this.#return(bucket);
  }

  /** This process was believed dead and its leases are gone. */
  reset(): void {
    for (const bucket of [...this.#buckets.values(), ...this.#retired]) bucket.free = 0n;
  }

  /** Takes back the leases of dead processes, within the caller's transaction. */
  async sweep(tx: Sql, deadReplicas: readonly string[]): Promise<void> {
    await tx.query({ text: returnLeasesOfDead, values: [deadReplicas] });
  }

  /** Applies changed terms to the running month, within the caller's transaction. */
  async changeTerms(tx: Sql, accountId: string, plan: Pick<PlanTerms, 'overage' | 'includedUnits'>): Promise<void> {
    const limit = plan.overage === 'invoice' ? null : plan.includedUnits.toString();
    await tx.query({ text: changeLimit, values: [accountId, monthOf(this.config.clock()).start, limit] });
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

  async #open(key: string, bucket: Bucket): Promise<Bucket> {
    const under = this.#opening.get(key);
    if (under !== undefined) return under;
    const values = [bucket.accountId, bucket.periodStart, bucket.limit?.toString() ?? null];
    const opening = this.sql
      .query({ name: 'keyfare_open_allowance', text: openAllowance, values })
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

  async #hold(bucket: Bucket, { units }: Quote): Promise<KeyHold | null> {
    if (bucket.limit === null) return { rail: 'key', bucket, units, leased: false };
    if (bucket.take(units)) return { rail: 'key', bucket, units, leased: true };
    if (performance.now() < bucket.deniedUntilMs) return null;
    const granted = bucket.wait(units);
    bucket.asking ??= this.#ask(bucket).finally(() => {
      bucket.asking = undefined;
    });
    return (await granted) ? { rail: 'key', bucket, units, leased: true } : null;
  }

  /** Leases until the line is served. When only others hold units, they are asked to give back before anyone is denied. */
  async #ask(bucket: Bucket): Promise<void> {
    try {
      for (let recalls = 0; bucket.wanted > 0n; ) {
        const { units, othersHold } = await this.#lease(bucket, bucket.wanted);
        bucket.add(units);
        if (units > 0n || bucket.wanted === 0n) continue;
        const pauseMs = othersHold ? recallPausesMs[recalls] : undefined;
        if (pauseMs === undefined) {
          bucket.deniedUntilMs = performance.now() + deniedForMs;
          bucket.deny();
          return;
        }
        recalls += 1;
        await this.sql.query({ text: `select pg_notify('keyfare_recall', $1)`, values: [bucket.accountId] });
        await new Promise((wake) => setTimeout(wake, pauseMs));
      }
    } catch (error) {
      bucket.fail(asProblem(error));
    }
  }

  async #lease(bucket: Bucket, wanted: bigint): Promise<{ units: bigint; othersHold: boolean }> {
    const [row] = await this.sql.query<{ units: string; others_hold: boolean }>({
      name: 'keyfare_lease_units',
      text: leaseUnits,
      values: [this.replica.id, bucket.accountId, bucket.periodStart, wanted.toString(), largestBlock.toString()],
    });
    return { units: BigInt(row?.units ?? 0), othersHold: row?.others_hold ?? false };
  }

  async #return(bucket: Bucket): Promise<void> {
    const units = bucket.drain();
    if (units === 0n) return;
    const values = [this.replica.id, bucket.accountId, bucket.periodStart, units.toString()];
    try {
      await this.sql.query({ name: 'keyfare_return_units', text: returnUnits, values });
    } catch {
      // Whether they went back is unknown. They stay leased in the database at worst, until this process ends.
    }
  }
}
