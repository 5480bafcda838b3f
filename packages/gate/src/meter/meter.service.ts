import { limitOf, type PlanTerms, periodOf, type TermsRecord } from '@keyfare/core/metering';
import { GroupCommit } from '@keyfare/db/group-commit';
import { asProblem, errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { fencedState, ReplicaId } from '../replica-id.js';
import { Bucket, type KeyRefusal } from './bucket.js';
import { holdUnits, type KeyHold, type PostedUnits } from './hold.js';
import { keyOf, Leases } from './leases.js';
import {
  changeLimit,
  endLeases,
  foldFromLog,
  forgetLeases,
  lockAccounts,
  openAllowances,
  sweepLeases,
} from './settle.sql.js';

const idleAfterMs = 3_000;
/** Long after any statement about a closed lease has ended, its row and its bucket are forgotten. */
const forgottenAfterMs = 60_000;
/** A process that ends cannot wait for a database for ever; what it cannot give back is swept by its peers. */
const closingPausesMs = [100, 400, 1_500];

interface Month {
  readonly accountId: string;
  readonly start: Date;
}

/** What an account used of a period. */
export interface AllowanceSummary {
  readonly periodStart: Date;
  readonly limitUnits: bigint | null;
  readonly used: bigint;
}

/**
 * Admits calls against an account's allowance: exact over all processes, without asking the database for each call. A
 * process leases units in blocks and holds against its lease in memory. Posts touch no counter: what they used is
 * folded into the allowance when the lease moves, about once a second, or by the sweep when the process died.
 */
@Injectable()
export class MeterService {
  readonly #logger = new Logger('Meter');
  readonly #buckets = new Map<string, Bucket>();
  readonly #opening = new Map<string, Promise<Bucket>>();
  readonly #openings: GroupCommit<Month, true>;
  readonly #leases: Leases;
  /** The newest group of posts whose number is known. */
  #post = 0n;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {
    this.#leases = new Leases(sql, replica);
    this.#openings = new GroupCommit({ write: (months) => this.#openMonths(months), waitsInDoubt: false });
  }

  /** What this process has leased: open leases, and their units that calls hold and that are free. */
  get leases(): { readonly open: number; readonly held: bigint; readonly free: bigint } {
    const open = [...this.#buckets.values()].filter(({ isOpen }) => isOpen);
    return {
      open: open.length,
      held: open.reduce((sum, { held }) => sum + held, 0n),
      free: open.reduce((sum, { free }) => sum + free, 0n),
    };
  }

  /**
   * Sets `units` aside, the most that the call will use, or says why it cannot. 503 when the database cannot be asked.
   */
  hold(
    { accountId, plan }: Pick<TermsRecord, 'accountId' | 'plan'>,
    units: bigint,
    at: Date,
  ): KeyHold | Promise<KeyHold | KeyRefusal> {
    const { start } = periodOf(plan, at);
    const isLeased = limitOf(plan) !== null;
    const bucket = this.#buckets.get(keyOf({ accountId, periodStart: start }));
    if (bucket !== undefined) {
      bucket.lastUsedMs = performance.now();
      if (isLeased ? bucket.take(units) : bucket.takeBeyond(units)) return holdUnits(bucket, units, isLeased);
    }
    return this.#hold({ accountId, start }, units, isLeased);
  }

  /** Gives a hold up: its units are free for the next call. */
  void(hold: KeyHold): void {
    this.#end(hold, 0n);
  }

  /**
   * The hold's call is posted in a group of that number. Call it in the same turn in which the post resolves: a fold
   * says that it counts whole groups.
   */
  posted(hold: KeyHold, { post, units }: PostedUnits): void {
    for (const { counter } of hold.amounts) if (post > counter.post) counter.post = post;
    if (post > this.#post) this.#post = post;
    this.#end(hold, units);
  }

  /** The process was taken for dead and the lease behind this hold is swept. Resolves when calls can be held again. */
  async forget(hold: KeyHold): Promise<void> {
    hold.ended = true;
    await this.replica.fenced(hold.writer);
  }

  /** Another process needs units of this account: all that are idle here go back, and what was used is counted. */
  async giveBack(accountId: string): Promise<void> {
    const own = [...this.#buckets.values()].filter(
      (bucket) => bucket.accountId === accountId && bucket.isStored && (bucket.isOpen || bucket.isDirty),
    );
    await Promise.all(own.map((bucket) => this.#leases.giveBack(bucket)));
  }

  /** Terms changed, so what was known about the limit may be wrong. */
  async announceTerms(accountId: string): Promise<void> {
    for (const bucket of this.#buckets.values()) {
      if (bucket.accountId !== accountId) continue;
      bucket.deniedUntilMs = 0;
      bucket.unusedUntilMs = 0;
    }
    await this.giveBack(accountId);
  }

  /** Folds what was posted, gives back what was idle for a while, and forgets what has long been closed. */
  async tidy(): Promise<void> {
    const nowMs = performance.now();
    const under: Promise<void>[] = [];
    const closed: Bucket[] = [];
    for (const bucket of this.#buckets.values()) {
      const isIdle = nowMs - bucket.lastUsedMs > idleAfterMs;
      if (bucket.isStored && bucket.isOpen && isIdle && (bucket.free > 0n || bucket.isIdle)) {
        under.push(this.#leases.giveBack(bucket));
      } else if (bucket.isStored && bucket.isDirty) under.push(this.#leases.fold(bucket));
      else if (!bucket.isOpen && bucket.isIdle && nowMs - bucket.lastUsedMs > forgottenAfterMs) closed.push(bucket);
    }
    const results = await Promise.allSettled(under);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await this.#forget(closed);
  }

  /** Gives everything back, at the end of the process: every call has ended, so nothing of a lease is held. */
  async close(): Promise<void> {
    for (const pauseMs of [...closingPausesMs, null]) {
      try {
        const open = [...this.#buckets.values()].filter((bucket) => bucket.isOpen || bucket.isDirty);
        await Promise.all(open.map((bucket) => this.#leases.giveBack(bucket)));
        await this.sql.query({ text: endLeases, values: [this.replica.id] });
        break;
      } catch (error) {
        // What was swept by peers has been given back: the next turn finds no lease of this process.
        if (errorCode(error) === fencedState) continue;
        this.#logger.warn(error);
        if (pauseMs !== null) await new Promise((wake) => setTimeout(wake, pauseMs));
      }
    }
    await Promise.all([this.#openings.close(), this.#leases.close()]);
  }

  /** This process was taken for dead and has another name: its leases are swept, and calls under way are held again. */
  renamed(): void {
    this.#buckets.clear();
    this.#opening.clear();
  }

  /** Ends the leases of processes that are not among the living, within the caller's transaction. */
  async sweep(tx: Sql): Promise<void> {
    await tx.query({ name: 'keyfare_sweep_leases', text: sweepLeases });
  }

  /** Applies new terms to the period they begin in, within the transaction that changed them and locks the account. */
  async changeTerms(tx: Sql, accountId: string, { plan, at }: { plan: PlanTerms; at: Date }): Promise<void> {
    const { start } = periodOf(plan, at);
    const limit = limitOf(plan);
    if (limit !== null) await tx.query({ text: foldFromLog, values: [accountId, start] });
    await tx.query({ text: changeLimit, values: [accountId, start, limit?.toString() ?? null] });
  }

  /** What the account used of a period: all that this process posted, and all that others did a second ago. */
  async summary(
    { accountId, plan }: Pick<TermsRecord, 'accountId' | 'plan'>,
    periodStart: Date,
  ): Promise<AllowanceSummary> {
    const own = this.#buckets.get(keyOf({ accountId, periodStart }));
    if (own !== undefined && own.isStored && own.isDirty) await this.#leases.fold(own).catch(() => undefined);
    const [row] = await this.sql.query<{ limit_units: string | null; used: string }>({
      name: 'keyfare_read_allowance',
      text: 'select limit_units, used from keyfare.allowance where account_id = $1 and period_start = $2',
      values: [accountId, periodStart],
    });
    if (row === undefined) {
      // A running month without calls has the limit that its first call will open it with; a past one had none.
      const isOver = periodStart < periodOf(plan, this.config.clock()).start;
      return { periodStart, limitUnits: isOver ? null : limitOf(plan), used: 0n };
    }
    return {
      periodStart,
      limitUnits: row.limit_units === null ? null : BigInt(row.limit_units),
      used: BigInt(row.used),
    };
  }

  #end(hold: KeyHold, used: bigint): void {
    if (hold.ended) return;
    hold.ended = true;
    for (const amount of hold.amounts) amount.counter.end(amount, used);
  }

  async #hold({ accountId, start }: Month, units: bigint, isLeased: boolean): Promise<KeyHold | KeyRefusal> {
    for (let attempt = 1; ; attempt += 1) {
      const bucket = await this.#open(accountId, start);
      try {
        return await this.#holdIn(bucket, units, isLeased);
      } catch (error) {
        // The lease was swept while it was asked for: by now this process has another name, and another bucket.
        if (errorCode(error) !== fencedState || attempt === 3) throw error;
        await this.replica.fenced(bucket.writer);
      }
    }
  }

  async #holdIn(bucket: Bucket, units: bigint, isLeased: boolean): Promise<KeyHold | KeyRefusal> {
    bucket.lastUsedMs = performance.now();
    if (!isLeased) {
      while (!bucket.takeBeyond(units)) {
        const opened = bucket.wait(0n);
        this.#leases.serve(bucket);
        await opened;
      }
      return holdUnits(bucket, units, false);
    }
    if (bucket.take(units)) return holdUnits(bucket, units, true);
    const nowMs = performance.now();
    const isExhausted = units > bucket.unused && nowMs < bucket.unusedUntilMs;
    if (isExhausted || nowMs < bucket.deniedUntilMs) return bucket.refusal(units);
    const answer = bucket.wait(units);
    this.#leases.serve(bucket);
    const given = await answer;
    return given === 'granted' ? holdUnits(bucket, units, true) : given;
  }

  /** Opens the month under a lock on the account: terms that change at this moment are those before or those after. */
  async #open(accountId: string, start: Date): Promise<Bucket> {
    const key = keyOf({ accountId, periodStart: start });
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const under = this.#opening.get(key);
    if (under !== undefined) return under;
    const writer = this.replica.id;
    const opening = this.#openings
      .commit({ accountId, start })
      .then(() => {
        const bucket = new Bucket({ accountId, periodStart: start, writer, post: this.#post });
        if (this.#opening.get(key) === opening) this.#buckets.set(key, bucket);
        return bucket;
      })
      .catch((error: unknown) => {
        throw asProblem(error);
      })
      .finally(() => {
        if (this.#opening.get(key) === opening) this.#opening.delete(key);
      });
    this.#opening.set(key, opening);
    return opening;
  }

  async #openMonths(months: readonly Month[]): Promise<readonly true[]> {
    const accounts = months.map(({ accountId }) => accountId);
    await this.sql.transaction(async (tx) => {
      await tx.query({ name: 'keyfare_lock_accounts', text: lockAccounts, values: [accounts] });
      const starts = months.map(({ start }) => start.toISOString());
      await tx.query({ name: 'keyfare_open_allowances', text: openAllowances, values: [accounts, starts] });
    });
    return months.map(() => true);
  }

  async #forget(closed: readonly Bucket[]): Promise<void> {
    if (closed.length === 0) return;
    const usedAtMs = new Map(closed.map((bucket) => [bucket, bucket.lastUsedMs]));
    await this.sql.query({
      name: 'keyfare_forget_leases',
      text: forgetLeases,
      values: [
        this.replica.id,
        closed.map(({ accountId }) => accountId),
        closed.map(({ periodStart }) => periodStart.toISOString()),
      ],
    });
    // A bucket counts on from its row: it goes only after it, and stays when a call came meanwhile.
    for (const [bucket, lastUsedMs] of usedAtMs) {
      if (bucket.lastUsedMs === lastUsedMs) this.#buckets.delete(keyOf(bucket));
    }
  }
}
