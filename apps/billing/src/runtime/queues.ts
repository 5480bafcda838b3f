import { DatabaseUnavailable } from '@keyfare/db/sql';
import PgBoss from 'pg-boss';
import type { DataSource } from 'typeorm';
import { billingRole, jobsSchema } from '../schema.js';

/**
 * The scheduled jobs, by UTC. Drafts are drawn up every night: what is read late in a month is on them the next
 * morning.
 */
export const queues = {
  reconcile: { name: 'reconcile', cron: '30 0 * * *' },
  drafts: { name: 'drafts', cron: '0 3 * * *' },
} as const;
export type QueueName = keyof typeof queues;

/** When a queue's job is due next, after `now`. All of them are due once a day. */
export function nextRun({ cron }: (typeof queues)[QueueName], now: Date): Date {
  const [minute = 0, hour = 0] = cron.split(' ', 2).map(Number);
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hour, minute);
  return new Date(today > now.getTime() ? today : today + 86_400_000);
}

/**
 * What a queue is like. One job at a time: a night that is late joins the next. A job of which its process does not
 * show that it lives is lost soon, whatever it takes; `holdJob` shows it.
 */
const settings = { policy: 'stately', expireInSeconds: 60, retryLimit: 5, retryDelay: 60, retryBackoff: true } as const;

/** Whether the schema of the jobs is this release's, with every queue and its schedule: then nothing is laid out. */
export async function areJobsReady(dataSource: DataSource): Promise<boolean> {
  const executeSql = async (text: string, values: unknown[] = []): Promise<{ rows: unknown[] }> => ({
    rows: await dataSource.query<unknown[]>(text, values),
  });
  const db = { executeSql };
  const boss = new PgBoss({ db, schema: jobsSchema, migrate: false, supervise: false, schedule: false });
  boss.on('error', () => undefined);
  try {
    await boss.start();
    const schedules = await boss.getSchedules();
    const found = await Promise.all(Object.values(queues).map(async ({ name }) => boss.getQueue(name)));
    return (
      found.every((queue) => queue !== null && isAsSet(queue)) &&
      Object.values(queues).every(({ name, cron }) => schedules.some((one) => one.name === name && one.cron === cron))
    );
  } catch (error) {
    // Not laid out, of another release, or not to be read by this login: laying out says what is wrong.
    if (error instanceof DatabaseUnavailable) throw error;
    return false;
  } finally {
    await boss.stop({ graceful: false });
  }
}

function isAsSet(queue: object): boolean {
  const found = queue as Readonly<Record<string, unknown>>;
  return Object.entries(settings).every(([name, value]) => found[name] === value);
}

/** Lays out pg-boss's schema, its queues and their schedules. The URL is that of a login that may create a schema. */
export async function migrateJobs(url: string, grant: (statements: readonly string[]) => Promise<void>): Promise<void> {
  const login = { connectionString: url, application_name: 'keyfare-billing-migrate', schema: jobsSchema, max: 1 };
  const boss = new PgBoss({ ...login, supervise: false });
  boss.on('error', () => undefined);
  try {
    await boss.start();
    for (const { name, cron } of Object.values(queues)) {
      await boss.createQueue(name, { name, ...settings });
      // One that is there already may be an earlier release's.
      await boss.updateQueue(name, { name, ...settings });
      await boss.schedule(name, cron, {}, { tz: 'UTC' });
    }
    await grant([
      `grant usage on schema ${jobsSchema} to ${billingRole}`,
      `grant select, insert, update, delete on all tables in schema ${jobsSchema} to ${billingRole}`,
      `grant execute on all functions in schema ${jobsSchema} to ${billingRole}`,
    ]);
  } finally {
    await boss.stop({ graceful: false });
  }
}
