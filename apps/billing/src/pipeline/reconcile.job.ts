import type { Clock } from '@keyfare/core/time';
import { DatabaseUnavailable, SqlPool } from '@keyfare/db/sql';
import { ChainError, ChainUnavailable } from '@keyfare/evm/chain';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { type Wallet, Wallets } from '../chain/wallets.js';
import { BillingConfig } from '../config.js';
import { readAccounts } from '../intake/feed.js';
import type { BalanceReading } from '../reconcile/checks/balance.sql.js';
import { ReconcileService, type Run, type RunInput } from '../reconcile/reconcile.service.js';
import { clock, feedPool } from '../tokens.js';
import { ChainJob, type ChainState } from './chain.job.js';
import { IntakeJob } from './intake.job.js';
import { Resolutions } from './resolutions.js';

/** What went wrong on the way to a run, and is nobody's absence. */
type Failures = unknown[];

/**
 * Brings the books up to the present, and compares everything. What is away (the API's database, the chain) is compared
 * as far as it was read: no break is made of what could not be known, and none is taken back.
 */
@Injectable()
export class ReconcileJob {
  readonly #logger = new Logger('Reconcile');
  #underWay: Promise<Run> | undefined;

  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    private readonly intake: IntakeJob,
    private readonly chain: ChainJob,
    private readonly wallets: Wallets,
    private readonly reconcile: ReconcileService,
    private readonly resolutions: Resolutions,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * One run. When the log could not be booked though nothing is away (a bug, or books that somebody has tampered with),
   * what is booked is reconciled and the breaks are kept, and then that failure is thrown: it must not pass for an
   * outage.
   *
   * Those who ask while a run is under way get that run: however many ask, the books are compared once at a time, and
   * connections are left for reports. `within` is called in the transaction of a run that this call began.
   */
  async run(trigger: Run['trigger'], within?: RunInput['within']): Promise<Run> {
    this.#underWay ??= this.#run(trigger, within).finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #run(trigger: Run['trigger'], within: RunInput['within']): Promise<Run> {
    const startedAt = this.now();
    const failures: Failures = [];
    const { reconcileWaitMs } = this.config;
    // First the API's accounts, then the entries that they count, and last the chain, which must not be older than the
    // entries.
    const accounts = await this.#read('the accounts', failures, () => readAccounts(this.feedSql));
    const entriesComplete =
      accounts !== null &&
      (await this.#read('the log', failures, () =>
        this.intake.catchUp({ asOf: accounts.readAt, since: startedAt }, reconcileWaitMs),
      )) === true;
    const chainState = await this.#read('the chain', failures, () => this.chain.catchUp(reconcileWaitMs));
    const balances = await this.#read('the balances', failures, () => this.#readBalances(chainState));
    const run = await this.reconcile.run({
      trigger,
      startedAt,
      entriesComplete,
      accounts: entriesComplete ? accounts : null,
      chainState: chainState ?? 'unavailable',
      balances: balances ?? [],
      within,
    });
    await this.resolutions.undoStale();
    if (failures.length > 0) throw failures[0];
    return run;
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
