import { createHmac, type KeyObject } from 'node:crypto';
import { freePeriodOf } from '@keyfare/core/metering';
import { anonymous } from '@keyfare/core/receipt';
import { GroupCommit } from '@keyfare/db/group-commit';
import { asProblem, type Sql, SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { Releases } from '../releases.js';
import { ReplicaId } from '../replica-id.js';
import {
  type FreeAsk,
  type FreeLook,
  forgetCallers,
  forgetTiers,
  freeAskRows,
  freeLookRows,
  holdFreeCalls,
  openTiers,
  releaseAbandonedFreeCalls,
  releaseFreeCalls,
  selectSpent,
} from './free.sql.js';
import type { FreeAllowance, FreeCaller, FreeHold } from './hold.js';
import { Spent } from './spent.js';

/** For so long nobody asks again for a tier that has none left: holds of others may still come back. */
const closedForMs = 1_000;
/** Longer than a call lasts after its handler's time: a hold of this process that is older is nobody's. */
const lostAfterMs = 60_000;
const mostTiersKnown = 1_000;

/** What came of asking for a free call: `spent` where the caller has used its own up. */
interface Given {
  readonly remaining: number | null;
  readonly spent: boolean;
  /** All callers together have none left. */
  readonly closed: boolean;
}

/**
 * Counts the free calls of callers without a key, exactly over all processes. A call is held before its handler runs
 * and posted with its entry; what is not posted is given back, by a sweep where its process has died. Holds go in
 * groups, so that many strangers cost one statement, and who has none left costs none.
 */
@Injectable()
export class FreeService {
  readonly #pepper: KeyObject;
  readonly #spent: Spent;
  readonly #tiers = new Set<string>();
  readonly #holds: GroupCommit<FreeAsk, Given>;
  readonly #reads: GroupCommit<FreeLook, Pick<Given, 'spent' | 'closed'>>;
  readonly #releases: Releases;

  constructor(
    private readonly config: GateConfig,
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {
    const pepper = config.peppers.keys.get(config.peppers.current);
    if (pepper === undefined) throw new Error('there is no current pepper');
    this.#pepper = pepper;
    this.#spent = new Spent(config.clock);
    this.#holds = new GroupCommit({ write: (asks) => this.#hold(asks), waitsInDoubt: false });
    this.#reads = new GroupCommit({ write: (looks) => this.#readSpent(looks), waitsInDoubt: false });
    this.#releases = new Releases(sql, { name: 'keyfare_release_free', text: releaseFreeCalls }, new Logger('Free'));
  }

  /** What a caller has at `at`; nobody is asked how many are left. */
  allowanceOf({ free }: Pick<FreeCaller, 'free'>, at: Date): FreeAllowance {
    return { free, period: freePeriodOf(free, at), remaining: undefined };
  }

  /**
   * Sets a free call of the caller aside for an exchange; null where there is none left. 503 when the database cannot
   * be asked: who cannot be counted is neither served for nothing nor asked for money.
   */
  async hold(caller: FreeCaller, { exchangeId, at }: { exchangeId: string; at: Date }): Promise<FreeHold | null> {
    const { name, subject, period } = this.#counterOf(caller, at);
    const known = subject.toString('base64');
    if (this.#spent.has(known) || this.#spent.has(name)) return null;
    const { calls, total } = caller.free;
    const ask = { exchangeId, subject, tier: name, endsAt: period.end, calls, total };
    const given = await this.#holds.commit(ask).catch((error: unknown) => {
      void this.#releases.release(exchangeId);
      throw asProblem(error);
    });
    if (given.spent) this.#spent.note(known, period.end);
    else if (given.closed) this.#spent.note(name, new Date(at.getTime() + closedForMs));
    if (given.remaining === null) return null;
    const principal = caller.free.per === 'wallet' ? caller.caller : anonymous;
    const allowance = { free: caller.free, period, remaining: given.remaining };
    return { rail: 'free', exchangeId, principal, allowance };
  }

  /** Whether this process knows that there is no free call for the caller. */
  hasNone(caller: FreeCaller, at: Date): boolean {
    const { name, subject } = this.#counterOf(caller, at);
    return this.#spent.has(subject.toString('base64')) || this.#spent.has(name);
  }

  /**
   * Whether the caller has used its free calls up, or all callers theirs. At once where that is known here. 503 as
   * `hold`.
   */
  isSpent(caller: FreeCaller, at: Date): true | Promise<boolean> {
    const { name, subject, period } = this.#counterOf(caller, at);
    const known = subject.toString('base64');
    if (this.#spent.has(known) || this.#spent.has(name)) return true;
    const { calls, total } = caller.free;
    return this.#reads.commit({ subject, calls, tier: name, total }).then(
      ({ spent, closed }) => {
        if (spent) this.#spent.note(known, period.end);
        else if (closed) this.#spent.note(name, new Date(at.getTime() + closedForMs));
        return spent || closed;
      },
      (error: unknown) => {
        throw asProblem(error);
      },
    );
  }

  /**
   * Gives a hold back: the call was not served. Resolves when it is back, so that the caller who is told of it has it;
   * or when the database cannot do it now, and then it is tried until it has or the process ends. Never rejects.
   */
  async void({ exchangeId }: FreeHold): Promise<void> {
    await this.#releases.releaseOrGoOn(exchangeId);
  }

  /** Within the caller's transaction: gives back what dead processes held, and what this one has lost. */
  async sweep(tx: Sql, deadReplicas: readonly string[]): Promise<void> {
    const ageMs = this.config.handlerTimeoutMs + this.config.settleTimeoutMs + lostAfterMs;
    const values = [deadReplicas, this.replica.id, String(ageMs)];
    await tx.query({ name: 'keyfare_release_abandoned_free', text: releaseAbandonedFreeCalls, values });
  }

  /** Deletes what belongs to periods that are over. */
  async tidy(): Promise<void> {
    await this.sql.query({ name: 'keyfare_forget_free_tiers', text: forgetTiers });
    await this.sql.query({ name: 'keyfare_forget_free_callers', text: forgetCallers });
  }

  async close(): Promise<void> {
    await Promise.all([this.#holds.close(), this.#reads.close(), this.#releases.stop()]);
    await this.#releases.close();
  }

  /** The key of the hash holds the period, so that subjects of two periods cannot be told to be one caller. */
  #counterOf({ sku, free, caller }: FreeCaller, at: Date) {
    const period = freePeriodOf(free, at);
    const name = `${sku} ${free.per} ${free.period} ${period.start.toISOString().slice(0, 10)}`;
    const subject = createHmac('sha256', this.#pepper).update(`keyfare free call\n${name}\n${caller}`).digest();
    return { name, subject, period };
  }

  async #hold(asks: readonly FreeAsk[]): Promise<readonly Given[]> {
    const unopened = new Map(asks.filter(({ tier }) => !this.#tiers.has(tier)).map((ask) => [ask.tier, ask.endsAt]));
    if (unopened.size > 0) {
      const ends = [...unopened.values()].map((end) => end.toISOString());
      await this.sql.query({ name: 'keyfare_open_free_tiers', text: openTiers, values: [[...unopened.keys()], ends] });
      if (this.#tiers.size > mostTiersKnown) this.#tiers.clear();
      for (const tier of unopened.keys()) this.#tiers.add(tier);
    }
    const rows = await this.sql.query<Given & { exchange_id: string }>({
      name: 'keyfare_hold_free_calls',
      text: holdFreeCalls,
      values: [...freeAskRows.values(asks), this.replica.id],
    });
    const given = new Map(rows.map((row) => [row.exchange_id, row]));
    // A row that is gone is made again the next time.
    for (const { exchangeId, tier } of asks) if (given.get(exchangeId)?.closed !== false) this.#tiers.delete(tier);
    return asks.map(({ exchangeId }) => given.get(exchangeId) ?? { remaining: null, spent: false, closed: true });
  }

  async #readSpent(looks: readonly FreeLook[]): Promise<readonly Pick<Given, 'spent' | 'closed'>[]> {
    const rows = await this.sql.query<Pick<Given, 'spent' | 'closed'> & { subject: Buffer }>({
      name: 'keyfare_read_free_spent',
      text: selectSpent,
      values: freeLookRows.values(looks),
    });
    const found = new Map(rows.map((row) => [row.subject.toString('base64'), row]));
    return looks.map(({ subject }) => found.get(subject.toString('base64')) ?? { spent: false, closed: false });
  }
}
