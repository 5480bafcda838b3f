import { type Clock, formatMonth, monthOf, parseMonth } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import PgBoss from 'pg-boss';
import { BillingConfig } from '../config.js';
import { billingRole, jobsSchema } from '../schema.js';
import { clock } from '../tokens.js';
import { DraftsJob } from './drafts.job.js';
import { queues } from './queues.js';
import { ReconcileJob } from './reconcile.job.js';

const pollingIntervalSeconds = 10;
const stopTimeoutMs = 30_000;

/**
 * What is done by the calendar: each night a reconciliation, and after each month its drafts. pg-boss sees to it that
 * one process does it; a job that fails is tried again. By hand the same is done over HTTP.
 */
@Injectable()
export class Scheduler {
  readonly #logger = new Logger('Jobs');
  readonly #boss: PgBoss;

  constructor(
    config: BillingConfig,
    private readonly reconcile: ReconcileJob,
    private readonly drafts: DraftsJob,
    private readonly sql: SqlPool,
    @Inject(clock) private readonly now: Clock,
  ) {
    const settings = {
      connectionString: config.databaseUrl,
      application_name: 'keyfare-billing-jobs',
      options: `-c role=${billingRole}`,
      schema: jobsSchema,
      max: 2,
      migrate: false,
    };
    this.#boss = new PgBoss(settings);
    this.#boss.on('error', (error) => this.#logger.error(error));
  }

  async start(): Promise<void> {
    await this.#boss.start();
    await this.#sendMissed();
    await this.#boss.work(queues.reconcile.name, { pollingIntervalSeconds }, async () => {
      await this.reconcile.run('schedule');
    });
    await this.#boss.work<{ month?: string }>(queues.drafts.name, { pollingIntervalSeconds }, async ([job]) => {
      const month = job?.data?.month;
      const period = month === undefined ? monthBefore(this.now()) : parseMonth(month);
      const drawn = await this.drafts.run(period);
      this.#logger.log(`${drawn} drafts of ${formatMonth(period)}`);
    });
  }

  /** Lets a job that is under way end. */
  async stop(): Promise<void> {
    await this.#boss.stop({ graceful: true, timeout: stopTimeoutMs });
  }

  /** pg-boss lets an hour pass that comes while nobody runs. Books that nothing was ever reconciled in can wait. */
  async #sendMissed(): Promise<void> {
    const now = this.now();
    const { start } = monthBefore(now);
    const [missed] = await this.sql.query<{ night: boolean; month: boolean }>({
      text: `select
          coalesce((select max(finished_at) from billing.reconciliation) < $1, false) as night,
          exists (select 1 from billing.charge where period_start = $2)
            and not exists (select 1 from billing.invoice where period_start = $2) as month`,
      values: [new Date(now.getTime() - dayMs), start],
    });
    if (missed?.night === true) await this.#boss.send(queues.reconcile.name, {});
    if (missed?.month === true) await this.#boss.send(queues.drafts.name, {});
  }
}

const dayMs = 86_400_000;

/** The month that was over last. */
function monthBefore(now: Date): ReturnType<typeof monthOf> {
  return monthOf(new Date(monthOf(now).start.getTime() - 1));
}
