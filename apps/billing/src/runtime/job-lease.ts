import type { Sql } from '@keyfare/db/sql';
import { jobsSchema } from '../schema.js';

/** A job of pg-boss that this process does. */
export interface HeldJob {
  readonly queue: string;
  readonly id: string;
}

/**
 * Puts the jobs of a queue whose process has not shown for their lease that it lives where they are fetched at once:
 * pg-boss itself looks every two minutes, and then waits for the pause of a retry. One that was lost too often failed.
 */
export async function retakeLost(sql: Sql, queue: string): Promise<void> {
  await sql.query({
    text: `update ${jobsSchema}.job j set start_after = now(), output = '{"message": "its process was lost"}',
        state = (case when is_last then 'failed' else 'retry' end)::${jobsSchema}.job_state,
        completed_on = case when is_last then now() end
      from (
        select id, retry_count >= retry_limit or exists (
            select 1 from ${jobsSchema}.job r where r.name = $1 and r.state = 'retry') as is_last
        from ${jobsSchema}.job where name = $1 and state = 'active' and started_on + expire_in < now()
        for update skip locked) lost
      where j.name = $1 and j.id = lost.id`,
    values: [queue],
  });
}

/** Lets another process fetch a job at once that this one ends before: that is no failure of it. */
export async function giveBack(sql: Sql, { queue, id }: HeldJob): Promise<void> {
  await sql.query({
    text: `update ${jobsSchema}.job j set state = 'retry', start_after = now(), retry_count = greatest(0, retry_count - 1)
      where name = $1 and id = $2 and state = 'active'
        and not exists (select 1 from ${jobsSchema}.job r where r.name = $1 and r.state = 'retry')`,
    values: [queue, id],
  });
}

/** Shows, until what it answers is called, that this process lives and does the job: others leave it alone. */
export async function holdJob(sql: Sql, job: HeldJob, leaseMs: number): Promise<() => void> {
  await showLife(sql, job, leaseMs);
  const timer = setInterval(() => {
    // While the database is away nobody else can take the job either.
    showLife(sql, job, leaseMs).catch(() => undefined);
  }, leaseMs / 4);
  return () => clearInterval(timer);
}

async function showLife(sql: Sql, { queue, id }: HeldJob, leaseMs: number): Promise<void> {
  await sql.query({
    text: `update ${jobsSchema}.job set started_on = now(), expire_in = make_interval(secs => $3::double precision)
      where name = $1 and id = $2 and state = 'active'`,
    values: [queue, id, leaseMs / 1_000],
  });
}
