import { setTimeout as pause } from 'node:timers/promises';
import { Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { DatabaseUnavailable, type Sql, SqlPool } from '@keyfare/db/sql';
import { ChainError, ChainUnavailable } from '@keyfare/evm/chain';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type Wallet, Wallets } from '../chain/wallets.js';
import { BillingConfig } from '../config.js';
import { readAccounts } from '../intake/feed.js';
import type { BalanceReading } from '../reconcile/checks/balance.sql.js';
import { readRun } from '../reconcile/read-run.js';
import { ReconcileService, type Run } from '../reconcile/reconcile.service.js';
import { type AskedRun, RunLost, type RunScope, RunStore, type RunTrigger } from '../reconcile/run-store.js';
import { clock, feedPool } from '../tokens.js';
import { ChainJob, type ChainState } from './chain.job.js';
import { IntakeJob } from './intake.job.js';
import { Resolutions } from './resolutions.js';

/** What went wrong on the way to a run, and is nobody's absence. */
type Failures = unknown[];

/** How often who waits for a run looks whether it has ended. */
const lookMs = 100;

/**
 * Brings the books up to the present, and compares everything. What is away (the API's database, the chain) is compared
 * as far as it was read: no break is made of what could not be known, and none is taken back.
 */
@Injectable()
export class ReconcileJob {
  readonly #logger = new Logger('Reconcile');
  readonly #stopping = new AbortController();
  /** What failed runs of this process failed of. */
  readonly #failures = new Map<string, unknown>();
  #underWay: Promise<boolean> | undefined;

  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    private readonly intake: IntakeJob,
    private readonly chain: ChainJob,
    private readonly wallets: Wallets,
    private readonly reconcile: ReconcileService,
    private readonly resolutions: Resolutions,
    private readonly runs: RunStore,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * Asks for a run, and waits for it: of this process or of another. Who asks while one waits or goes on gets that run.
   * When the log could not be booked though nothing is away (a bug, or books that somebody has tampered with), what is
   * booked is reconciled and the breaks are kept, and then that failure is thrown: it must not pass for an outage.
   */
  async run(trigger: RunTrigger, scope: RunScope = 'recent'): Promise<Run> {
    const { id } = await this.runs.ask(this.sql, { trigger, scope });
    for (;;) {
      await this.step();
      const { state, failure } = await this.runs.find(id);
      if (state === 'done') return readRun(this.sql, id);
      if (state === 'failed') throw this.#failures.get(id) ?? new Error(`the reconciliation failed: ${failure ?? ''}`);
      this.#stopping.signal.throwIfAborted();
      await pause(lookMs, undefined, { signal: this.#stopping.signal });
    }
  }

  /** Does a run that waits, or that a lost process left; whether there was one. One at a time over all processes. */
  async step(): Promise<boolean> {
    if (this.#stopping.signal.aborted) return false;
    this.#underWay ??= this.#step().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** Begins to do what waits, now. What goes wrong is in the run, or is met by the next step. */
  wake(): void {
    void this.step().catch(() => undefined);
  }

  /** Gives the run that goes on back after the check that it is at, for another process or the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#underWay?.catch(() => undefined);
  }

  async #step(): Promise<boolean> {
    const run = await this.runs.claim();
    if (run === null) return false;
    const lease = this.#keep(run.id);
    try {
      await this.#do(run, lease.check);
    } catch (error) {
      await this.#fail(run, error);
    } finally {
      lease.end();
    }
    return true;
  }

  /** Shows, for as long as the run goes on, that this process lives. */
  #keep(id: string): { readonly check: () => void; readonly end: () => void } {
    let lost: RunLost | undefined;
    let isBeating = false;
    const beat = async (): Promise<void> => {
      // One that waits for the lock of the transaction that writes is enough.
      if (isBeating) return;
      isBeating = true;
      try {
        await this.runs.beat(id);
      } catch (error) {
        if (error instanceof RunLost) lost = error;
      } finally {
        isBeating = false;
      }
    };
    const timer = setInterval(() => void beat(), this.config.jobLeaseMs / 4);
    const check = (): void => {
      if (lost !== undefined) throw lost;
      this.#stopping.signal.throwIfAborted();
    };
    return { check, end: () => clearInterval(timer) };
  }

  async #fail({ id }: AskedRun, error: unknown): Promise<void> {
    if (error instanceof RunLost) {
      this.#logger.warn(`the run ${id} ends: ${error.message}`);
      return;
    }
    if (this.#stopping.signal.aborted) {
      await this.runs.release(id);
      return;
    }
    this.#failures.set(id, error);
    this.#logger.error({ err: error, msg: `the run ${id} failed` });
    await this.runs.end(this.sql, id, failureOf(error));
  }

  async #do({ id, scope, trigger }: AskedRun, check: () => void): Promise<void> {
    const failures: Failures = [];
    // A process was lost after it had written what it found.
    if (!(await this.reconcile.isWritten(id))) await this.#compare({ id, scope, trigger }, { failures, check });
    // Before the run is over: whoever waits for it sees the journals as they are by what it found.
    await this.resolutions.undoStale();
    if (failures.length > 0) this.#failures.set(id, failures[0]);
    await this.runs.end(this.sql, id, failures.length === 0 ? null : failureOf(failures[0]));
  }

  async #compare(
    { id, scope, trigger }: Pick<AskedRun, 'id' | 'scope' | 'trigger'>,
    { failures, check }: { readonly failures: Failures; readonly check: () => void },
  ): Promise<void> {
    const startedAt = this.now();
    const { reconcileWaitMs } = this.config;
    await this.runs.beat(id, { check: 'log', done: 0, total: 1 });
    // First the API's accounts, then the entries that they count, and last the chain, which must not be older than the
    // entries.
    const accounts = await this.#read('the accounts', failures, () => readAccounts(this.feedSql));
    const entriesComplete =
      accounts !== null &&
      (await this.#read('the log', failures, () =>
        this.intake.catchUp({ asOf: accounts.readAt, since: startedAt }, reconcileWaitMs),
      )) === true;
    await this.runs.beat(id, { check: 'chain', done: 0, total: 1 });
    const chainState = await this.#read('the chain', failures, () => this.chain.catchUp(reconcileWaitMs));
    const balances = await this.#read('the balances', failures, () => this.#readBalances(chainState));
    await this.reconcile.run({
      id,
      scope,
      trigger,
      startedAt,
      entriesComplete,
      accounts: entriesComplete ? accounts : null,
      chainState: chainState ?? 'unavailable',
      balances: balances ?? [],
      onProgress: async (progress) => {
        check();
        await this.runs.beat(id, progress);
      },
      onWrite: async (tx: Sql) => this.runs.hold(tx, id),
    });
  }

  async #readBalances(state: ChainState | null): Promise<readonly BalanceReading[]> {
    if (state !== 'current') return [];
    const wallets = await this.wallets.followed(this.sql);
    return (await Promise.all(wallets.map(async (wallet) => this.#readBalance(wallet)))).flat();
  }

  /**
   * What a wallet holds after the last block that was read; nothing when that block is gone by the time of the answer.
   */
  async #readBalance({ store, reader }: Wallet): Promise<readonly BalanceReading[]> {
    const cursor = await store.cursor(this.sql);
    if (cursor === null || cursor.blockHash === null) return [];
    const { blockNumber, blockHash } = cursor;
    const balance = await reader.balanceAt(blockNumber);
    if (balance === null || (await reader.hashAt(blockNumber)) !== blockHash) return [];
    return [{ watch: store.watch, blockNumber, blockHash, balance }];
  }

  /** Null when it is away, and when it failed: then with the failure. */
  async #read<T>(what: string, failures: Failures, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      if (isAway(error)) this.#logger.warn(`${what} could not be read: ${error.message}`);
      else {
        this.#logger.error({ err: error, msg: `${what} could not be booked` });
        failures.push(error);
      }
      return null;
    }
  }
}

/** Only what a later attempt can mend by itself. Everything else is a fault of ours, or of the books. */
function isAway(error: unknown): error is Error {
  return error instanceof DatabaseUnavailable || error instanceof ChainUnavailable || error instanceof ChainError;
}

/** A sentence for operators: what a problem says in public, and of a bug only that there is one. */
function failureOf(error: unknown): string {
  return error instanceof Problem ? error.detail : 'something went wrong; the log of billing says what';
}
