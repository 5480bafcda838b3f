import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ChainReader } from '../chain/chain-reader.js';
import { ChainStore } from '../chain/chain-store.js';
import { type MeterReading, readMeter } from '../intake/feed.js';
import type { BalanceReading } from '../reconcile/checks/balance.sql.js';
import { ReconcileService, type Run } from '../reconcile/reconcile.service.js';
import { clock, feedPool } from '../tokens.js';
import { ChainJob, type ChainState } from './chain.job.js';
import { IntakeJob } from './intake.job.js';

const catchUpMs = 30_000;

/**
 * Brings the books up to the present, and compares everything. What is away (the API's database, the chain) is compared
 * as far as it was read: no break is made of what could not be known, and none is taken back.
 */
@Injectable()
export class ReconcileJob {
  readonly #logger = new Logger('Reconcile');

  constructor(
    private readonly sql: SqlPool,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    private readonly intake: IntakeJob,
    private readonly chain: ChainJob,
    private readonly reader: ChainReader,
    private readonly store: ChainStore,
    private readonly reconcile: ReconcileService,
    @Inject(clock) private readonly now: Clock,
  ) {}

  async run(trigger: Run['trigger']): Promise<Run> {
    const startedAt = this.now();
    // First the meter, then the entries that it counts, and last the chain, which must not be older than the entries.
    const meter = await this.#unlessAway('the meter', () => readMeter(this.feedSql));
    const entriesComplete =
      meter !== null &&
      (await this.#unlessAway('the log', () => this.intake.catchUp(meter.newest, catchUpMs))) === true;
    const chainState = await this.chain.catchUp(catchUpMs);
    const balance = await this.#unlessAway('the balance', () => this.#readBalance(chainState));
    return this.reconcile.run({
      trigger,
      startedAt,
      watch: this.store.watch,
      entriesComplete,
      meter: entriesComplete ? countOf(meter) : null,
      chainState,
      balance,
    });
  }

  /** What the wallet holds after the last block that was read; null when that block is gone by the time of the answer. */
  async #readBalance(state: ChainState): Promise<BalanceReading | null> {
    const cursor = await this.store.cursor(this.sql);
    if (state !== 'current' || cursor === null || cursor.blockHash === null) return null;
    const { blockNumber, blockHash } = cursor;
    const balance = await this.reader.balanceAt(blockNumber);
    if (balance === null || (await this.reader.hashAt(blockNumber)) !== blockHash) return null;
    return { watch: this.store.watch, blockNumber, blockHash, balance };
  }

  async #unlessAway<T>(what: string, read: () => Promise<T>): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      this.#logger.warn(`${what} could not be read: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }
}

function countOf(meter: MeterReading | null): { snapshot: string; rows: MeterReading['rows'] } | null {
  return meter === null ? null : { snapshot: meter.snapshot, rows: meter.rows };
}
