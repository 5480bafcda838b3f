import { SqlPool } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { Changes } from '@keyfare/gate/operators';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BillingConfig } from '../config.js';
import { KnownOperators } from '../operator/known-operators.js';
import { ChainJob } from '../pipeline/chain.job.js';
import { IntakeJob } from '../pipeline/intake.job.js';
import { ReconcileJob } from '../pipeline/reconcile.job.js';
import { SignaturePool } from '../signature-pool.js';
import { BillingMetrics } from '../status/metrics.js';
import { changePool, evmChain, feedPool, memoryPool, operatorPool, reportPool } from '../tokens.js';
import { isLoud, Loop, type LoopState } from './loop.js';
import { Scheduler } from './scheduler.js';

/** How often a process looks for a run that another was asked for, or that a lost one left. */
const reconcileIntervalMs = 1_000;

/** Keeps the books up to date while the program runs, and leaves them whole when it ends. */
@Injectable()
export class BillingLifecycle implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger('Billing');
  readonly #loops: ReadonlyMap<string, Loop>;

  constructor(
    { intakeIntervalMs, chainIntervalMs }: BillingConfig,
    intake: IntakeJob,
    chain: ChainJob,
    private readonly reconcile: ReconcileJob,
    private readonly scheduler: Scheduler,
    private readonly metrics: BillingMetrics,
    private readonly sql: SqlPool,
    private readonly dataSource: DataSource,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    @Inject(reportPool) private readonly reportSql: SqlPool,
    @Inject(changePool) private readonly changeSql: SqlPool,
    @Inject(operatorPool) private readonly operatorSql: SqlPool,
    @Inject(memoryPool) private readonly memorySql: SqlPool,
    private readonly known: KnownOperators,
    private readonly changes: Changes,
    private readonly signatures: SignaturePool,
    @Inject(evmChain) private readonly evm: Chain,
  ) {
    const pools = { books: sql, feed: feedSql, reports: reportSql, changes: changeSql, operators: operatorSql };
    for (const [name, pool] of Object.entries(pools)) metrics.sql.watch(name, pool);
    this.#loops = new Map([
      this.#loop('intake', { step: async () => (await intake.step()) === 'more', intervalMs: intakeIntervalMs }),
      this.#loop('chain', { step: async () => (await chain.step()) === 'more', intervalMs: chainIntervalMs }),
      this.#loop('reconcile', { step: async () => this.reconcile.step(), intervalMs: reconcileIntervalMs }),
    ]);
  }

  /** How the loops of this process are, by their names. */
  get loops(): readonly (LoopState & { readonly name: string })[] {
    return [...this.#loops].map(
      ([
        name,
        {
          state: { lastDoneAt, failures },
        },
      ]) => ({ name, lastDoneAt, failures }),
    );
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.scheduler.start();
    this.known.start();
    this.changes.start();
    for (const loop of this.#loops.values()) loop.start();
  }

  /** Requests have been answered by now. What is under way is finished, and then the connections are closed. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([
      this.known.stop(),
      this.changes.stop(),
      this.reconcile.stop(),
      this.scheduler.stop(),
      ...[...this.#loops.values()].map((loop) => loop.stop()),
    ]);
    this.evm.close();
    await this.signatures.close();
    const pools = [this.sql, this.feedSql, this.reportSql, this.changeSql, this.operatorSql, this.memorySql];
    await Promise.all([this.dataSource.destroy(), ...pools.map((pool) => pool.close())]);
    this.#logger.log('the books are closed');
  }

  #loop(
    name: string,
    { step, intervalMs }: { step: () => Promise<boolean>; intervalMs: number },
  ): readonly [string, Loop] {
    const loop = new Loop({
      step,
      intervalMs,
      onFailure: (error, failures) => {
        this.metrics.stepFailures.inc({ loop: name });
        if (!isLoud(failures)) return;
        this.#logger.error({ err: error, failures, msg: `the ${name} failed, and is tried again` });
      },
      onRecovered: () => this.#logger.log(`the ${name} goes on`),
    });
    return [name, loop];
  }
}
