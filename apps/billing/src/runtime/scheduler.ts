import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import PgBoss from 'pg-boss';
import { BillingConfig } from '../config.js';
import { DraftsJob } from '../pipeline/drafts.job.js';
import { GasReadings } from '../pipeline/gas-readings.js';
import { IntakeJob } from '../pipeline/intake.job.js';
import { ReconcileJob } from '../pipeline/reconcile.job.js';
import { billingRole, jobsSchema } from '../schema.js';
import { BillingMetrics } from '../status/metrics.js';
import { clock } from '../tokens.js';
import { giveBack, holdJob, retakeLost } from './job-lease.js';
import { isLoud, Loop } from './loop.js';
import { type QueueName, queues } from './queues.js';

const pollingIntervalMs = 10_000;
/** Before the log is looked at again that another process reads. */
const takenPauseMs = 50;

/** Of a job of the drafts. */
interface DraftsData {
  /** Whether a reconciliation of a night that was missed comes after them. */
  readonly night: boolean;
}

/**
 * What is done by the calendar: each night a reconciliation, the drafts of the months that are over, and a reading of
 * what settlers hold. pg-boss sees to it that one process does it; a job that fails is tried again. By hand the same is
 * done over HTTP.
 */
@Injectable()
export class Scheduler {
  readonly #logger = new Logger('Jobs');
  readonly #boss: PgBoss;
  readonly #loops: readonly Loop[];
  readonly #stopping = new AbortController();

  constructor(
    private readonly config: BillingConfig,
    private readonly intake: IntakeJob,
    private readonly reconcile: ReconcileJob,
    private readonly drafts: DraftsJob,
    private readonly gas: GasReadings,
    private readonly metrics: BillingMetrics,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {
    const settings = {
      connectionString: config.databaseUrl,
      application_name: 'keyfare-billing-jobs',
      ...(config.isPooled ? {} : { options: `-c role=${billingRole}` }),
      schema: jobsSchema,
      max: 2,
      migrate: false,
    };
    this.#boss = new PgBoss(settings);
    this.#boss.on('error', (error) => this.#logger.error(error));
    this.#loops = [
      this.#loop(queues.reconcile.name, () => this.reconcile.run('schedule')),
      this.#loop(queues.drafts.name, (job) => this.#drawUp(job)),
    ];
  }

  async start(): Promise<void> {
    await this.#boss.start();
    await this.#sendMissed();
    for (const loop of this.#loops) loop.start();
  }

  /**
   * Asks for a job within the caller's transaction: it is done as soon as a process looks for one. False where one
   * waits already.
   */
  async ask(tx: Sql, queue: QueueName): Promise<boolean> {
    const executeSql = async (text: string, values: unknown[]): Promise<{ rows: unknown[] }> => ({
      rows: [...(await tx.query({ text, values }))],
    });
    return (await this.#boss.send(queue, {}, { db: { executeSql } })) !== null;
  }

  /** Lets a job that is under way end, but for drafts, which go on in the next process. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    await this.#boss.stop();
  }

  /**
   * pg-boss lets an hour pass that comes while nobody runs. Drafts are always asked for: they are the same again when
   * nothing was missed. Books that nothing was ever reconciled in can wait. A night that was missed comes after the
   * drafts: beside them it would report each invoice that they are about to draw up.
   */
  async #sendMissed(): Promise<void> {
    const [missed] = await this.sql.query<{ night: boolean }>({
      text: 'select coalesce((select max(finished_at) from billing.reconciliation) < $1, false) as night',
      values: [new Date(this.now().getTime() - dayMs)],
    });
    const night = missed?.night === true;
    const drafts = await this.#boss.send(queues.drafts.name, { night } satisfies DraftsData);
    // Another process has asked for them already.
    if (drafts === null && night) await this.#boss.send(queues.reconcile.name, {});
  }

  /**
   * Books that have read nothing yet, as at a first start, would have nothing to invoice. Where another process is
   * faster the rest is still to come; entries whose keys are away are not waited for.
   */
  async #readLog(signal: AbortSignal): Promise<void> {
    for (;;) {
      const progress = await this.intake.step();
      if (progress === 'idle' || progress === 'waiting') return;
      signal.throwIfAborted();
      if (progress === 'taken') await pause(takenPauseMs);
    }
  }

  async #drawUp({ data }: PgBoss.Job<unknown>): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await this.#readLog(signal);
      this.#logger.log(`${await this.drafts.run(signal)} drafts of months that are over`);
      // A chain that is away keeps no draft back: the next night reads the same balance.
      await this.gas.take().catch((error: unknown) => this.#logger.warn(error));
    } finally {
      const isOver = !signal.aborted;
      if (isOver && (data as Partial<DraftsData> | null)?.night === true)
        await this.#boss.send(queues.reconcile.name, {});
    }
  }

  #loop(queue: string, run: (job: PgBoss.Job<unknown>) => Promise<unknown>): Loop {
    return new Loop({
      step: () => this.#work(queue, run),
      intervalMs: pollingIntervalMs,
      onFailure: (error, failures) => {
        this.metrics.stepFailures.inc({ loop: queue });
        if (isLoud(failures)) this.#logger.error({ err: error, failures, msg: `the queue ${queue} is away` });
      },
      onRecovered: () => this.#logger.log(`the queue ${queue} is back`),
    });
  }

  /**
   * Does one job, if there is one. Not by pg-boss's own worker, which does not wait for the word that a job has ended:
   * when the database is away at that moment, nobody catches the error, and the program would die of it.
   */
  async #work(queue: string, run: (job: PgBoss.Job<unknown>) => Promise<unknown>): Promise<boolean> {
    await retakeLost(this.sql, queue);
    const [job] = await this.#boss.fetch<unknown>(queue);
    if (job === undefined) return false;
    const release = await holdJob(this.sql, { queue, id: job.id }, this.config.jobLeaseMs);
    try {
      await run(job);
    } catch (error) {
      if (error === this.#stopping.signal.reason) {
        await giveBack(this.sql, { queue, id: job.id });
        return false;
      }
      this.metrics.jobFailures.inc({ queue });
      this.#logger.error({ err: error, msg: `the job ${queue} failed` });
      await this.#boss.fail(queue, job.id, { message: String(error) });
      return true;
    } finally {
      release();
    }
    await this.#boss.complete(queue, job.id);
    return true;
  }
}

const dayMs = 86_400_000;
