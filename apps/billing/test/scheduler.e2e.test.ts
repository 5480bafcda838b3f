import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { adminQuery } from '@keyfare/devstack/postgres';
import { readBillingConfig } from '../src/config.js';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { Scheduler } from '../src/runtime/scheduler.js';
import { BillingMetrics } from '../src/status/metrics.js';
import { settled } from './service.js';
import { openWorld, type World } from './world.js';

let world: World;

beforeEach(async () => {
  world = await openWorld();
}, 60_000);
afterEach(async () => world.close());

/** A scheduler whose drafts are this work, and which never reconciles. */
function scheduler(run: () => Promise<number>): Scheduler {
  const drafts = Object.assign(Object.create(DraftsJob.prototype) as DraftsJob, { run });
  const reconcile = Object.create(ReconcileJob.prototype) as ReconcileJob;
  return new Scheduler(readBillingConfig(world.env), reconcile, drafts, new BillingMetrics(), world.sql, world.clock);
}

async function jobs(): Promise<readonly string[]> {
  const rows = await world.rows<{ state: string }>(
    `select state::text as state from billing_jobs.job where name = 'drafts' order by created_on`,
  );
  return rows.map(({ state }) => state);
}

describe('a scheduled job', () => {
  it('is done at the start, and marked as done', async () => {
    let runs = 0;
    const jobsOfToday = scheduler(async () => {
      runs += 1;
      return 0;
    });
    await jobsOfToday.start();
    expect(await settled(async () => (await jobs()).join(), 'completed')).toBe('completed');
    await jobsOfToday.stop();
    expect(runs).toBe(1);
  }, 30_000);

  it('that fails is tried again later', async () => {
    const failing = scheduler(() => Promise.reject(new Error('no drafts today')));
    await failing.start();
    expect(await settled(async () => (await jobs()).join(), 'retry')).toBe('retry');
    await failing.stop();
    expect(await world.rows(`select output from billing_jobs.job where name = 'drafts'`)).toEqual([
      { output: { message: 'Error: no drafts today' } },
    ]);
  }, 30_000);

  it('that ends while the database is away does not take the program with it', async () => {
    let ended = false;
    // Asked of another database of the server: a pooler may need a new connection to this one, which it cannot have.
    const { adminUrl, name } = world.database;
    const letIn = async (isLetIn: boolean): Promise<unknown> =>
      adminQuery(adminUrl, 'update pg_database set datallowconn = $2 where datname = $1', [name, isLetIn]);
    const unlucky = scheduler(async () => {
      await letIn(false);
      await adminQuery(
        adminUrl,
        // Every session, not only the jobs': a pooler lends any of them to whoever asks next.
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1',
        [name],
      );
      ended = true;
      return 0;
    });
    await unlucky.start();
    expect(await settled(async () => ended, true)).toBe(true);
    // Stopping waits for the word that the job is done, which cannot be given.
    await unlucky.stop();
    await letIn(true);
    expect(await jobs()).toEqual(['active']);
  }, 60_000);
});
