import PgBoss from 'pg-boss';
import { billingRole, jobsSchema } from '../schema.js';

/** The scheduled jobs, by UTC. Drafts are drawn up every night: what is read late in a month is on them the next morning. */
export const queues = {
  reconcile: { name: 'reconcile', cron: '30 0 * * *' },
  drafts: { name: 'drafts', cron: '0 3 * * *' },
} as const;

// After this a job counts as lost and is begun again, which harms nothing.
const longestJobSeconds = 7_200;

/** Lays out pg-boss's schema, its queues and their schedules. The URL is that of a login that may create a schema. */
export async function migrateJobs(url: string, grant: (statements: readonly string[]) => Promise<void>): Promise<void> {
  const settings = { connectionString: url, application_name: 'keyfare-billing-migrate', schema: jobsSchema, max: 1 };
  const boss = new PgBoss({ ...settings, supervise: false });
  boss.on('error', () => undefined);
  try {
    await boss.start();
    for (const { name, cron } of Object.values(queues)) {
      // One at a time: a night that is late joins the next.
      const retry = { retryLimit: 5, retryDelay: 60, retryBackoff: true };
      await boss.createQueue(name, { name, policy: 'stately', expireInSeconds: longestJobSeconds, ...retry });
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
