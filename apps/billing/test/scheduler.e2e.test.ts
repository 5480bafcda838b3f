import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { choosePort } from '@keyfare/devstack/ports';
import { adminQuery } from '@keyfare/devstack/postgres';
import { afterEach, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { readBillingConfig } from '../src/config.js';
import { migrateBilling, ownerDataSource } from '../src/database.js';
import { DraftsJob } from '../src/pipeline/drafts.job.js';
import { GasReadings } from '../src/pipeline/gas-readings.js';
import { IntakeJob, type IntakeProgress } from '../src/pipeline/intake.job.js';
import { ReconcileJob } from '../src/pipeline/reconcile.job.js';
import { areJobsReady } from '../src/runtime/queues.js';
import { Scheduler } from '../src/runtime/scheduler.js';
import { BillingMetrics } from '../src/status/metrics.js';
import { settled } from './service.js';
import { openWorld, type World } from './world.js';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));

let world: World;

beforeEach(async () => {
  world = await openWorld();
}, 60_000);
afterEach(async () => world.close());

/** A scheduler whose drafts are this work, and which never reconciles. */
function scheduler(
  run: (stopping?: AbortSignal) => Promise<number>,
  env = world.env,
  step = async (): Promise<IntakeProgress> => 'idle',
): Scheduler {
  const drafts = Object.assign(Object.create(DraftsJob.prototype) as DraftsJob, { run });
  const reconcile = Object.create(ReconcileJob.prototype) as ReconcileJob;
  const intake = Object.assign(Object.create(IntakeJob.prototype) as IntakeJob, { step });
  const take = async (): Promise<readonly never[]> => [];
  const gas = Object.assign(Object.create(GasReadings.prototype) as GasReadings, { take });
  const config = readBillingConfig({ ...env });
  return new Scheduler(config, intake, reconcile, drafts, gas, new BillingMetrics(), world.sql, world.clock);
}

async function jobs(): Promise<readonly string[]> {
  const rows = await world.rows<{ state: string }>(
    `select state::text as state from billing_jobs.job where name = 'drafts' order by created_on`,
  );
  return rows.map(({ state }) => state);
}

describe('the queues', () => {
  it('are laid out again when they are not what this release makes of them', async () => {
    const dataSource = ownerDataSource(world.database.url);
    await dataSource.initialize();
    expect(await areJobsReady(dataSource)).toBe(true);
    await world.rows(`update billing_jobs.queue set expire_seconds = 7200 where name = 'drafts'`);
    expect(await areJobsReady(dataSource)).toBe(false);
    await migrateBilling(world.database.url);
    expect(await areJobsReady(dataSource)).toBe(true);
    await dataSource.destroy();
  });
});

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

  it('of the drafts begins when the log is read, also where another process was faster with a part of it', async () => {
    const steps: IntakeProgress[] = ['more', 'taken', 'more', 'idle'];
    const seen: number[] = [];
    const waiting = scheduler(
      async () => seen.push(steps.length),
      world.env,
      async () => steps.shift() ?? 'idle',
    );
    await waiting.start();
    expect(await settled(async () => (await jobs()).join(), 'completed')).toBe('completed');
    await waiting.stop();
    expect(seen).toEqual([0]);
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

  it('of a process that is to end goes on in the next one at once, and has not failed', async () => {
    let begun = 0;
    const first = scheduler(async (stopping) => {
      begun += 1;
      await new Promise((_, reject) => {
        stopping?.addEventListener('abort', () => reject(stopping.reason));
      });
      return 0;
    });
    await first.start();
    expect(await settled(async () => begun, 1)).toBe(1);
    await first.stop();
    expect(await world.rows(`select state, retry_count from billing_jobs.job where name = 'drafts'`)).toEqual([
      { state: 'retry', retry_count: 0 },
    ]);
    const next = scheduler(async () => 0);
    await next.start();
    expect(await settled(async () => (await jobs()).includes('completed'), true)).toBe(true);
    await next.stop();
  }, 30_000);

  it('of a process that was killed in it is begun by another as soon as its lease is over, and the next goes on', async () => {
    const env = { ...world.env, JOB_LEASE_SECONDS: '1' };
    const active = async (): Promise<number> =>
      (await world.rows(`select 1 from billing_jobs.job where name = 'drafts' and state = 'active'`)).length;
    const doomed = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'] ?? '', ...env, PORT: String(await choosePort()), LOG_LEVEL: 'silent' },
      stdio: 'ignore',
    });
    const gone = once(doomed, 'exit');
    await world.sql.transaction(async (tx) => {
      await tx.query({
        text: 'lock table billing.period_total, billing.terms, billing.invoice in access exclusive mode',
      });
      expect(await settled(active, 1)).toBe(1);
      // It is held for as long as its process lives, however long that is.
      const lived = async (): Promise<boolean> =>
        (
          await world.rows(
            `select 1 from billing_jobs.job where name = 'drafts' and state = 'active' and expire_in = interval '1 second'
              and started_on > created_on + interval '2 seconds'`,
          )
        ).length === 1;
      expect(await settled(lived, true)).toBe(true);
      doomed.kill('SIGKILL');
      await gone;
    });
    expect(await jobs()).toEqual(['active']);
    let runs = 0;
    const next = scheduler(async () => {
      runs += 1;
      return 0;
    }, env);
    await next.start();
    expect(await settled(async () => (await jobs()).join(), 'completed,completed')).toBe('completed,completed');
    await next.stop();
    expect(runs).toBe(2);
  }, 60_000);

  it('that ends while the database is away does not take the program with it', async () => {
    let ended = false;
    // Past the pooler, which would keep whoever asks waiting for the database until long after this test.
    const { DIRECT_DATABASE_URL: direct = world.env['DATABASE_URL'] ?? '' } = world.env;
    const { adminUrl, name } = world.database;
    const letIn = async (isLetIn: boolean): Promise<unknown> =>
      adminQuery(adminUrl, 'update pg_database set datallowconn = $2 where datname = $1', [name, isLetIn]);
    const unlucky = scheduler(
      async () => {
        await letIn(false);
        await adminQuery(adminUrl, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
        ended = true;
        return 0;
      },
      { ...world.env, DATABASE_URL: direct },
    );
    await unlucky.start();
    expect(await settled(async () => ended, true)).toBe(true);
    // Stopping waits for the word that the job is done, which cannot be given.
    await unlucky.stop();
    await letIn(true);
    expect(await jobs()).toEqual(['active']);
  }, 60_000);
});
