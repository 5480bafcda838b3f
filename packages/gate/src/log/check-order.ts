import type { SqlPool } from '@keyfare/db/sql';

/**
 * Whether the log goes on where it stands. Entries are read in the order of their transactions, whose ids belong to one
 * cluster: in a copy that was dumped and restored into a younger one, new entries would sort before old ones, and
 * readers would never see them. Throws with the remedy; see docs/decisions/0008-log-and-feed.md.
 */
export async function checkLogOrder(sql: SqlPool): Promise<void> {
  const [row] = await sql.query<{ newest: string }>({
    text: `select tx::text as newest from keyfare.entry
      where tx >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint order by tx desc limit 1`,
  });
  if (row === undefined) return;
  throw new Error(
    `The log has an entry of transaction ${row.newest}, which this database cluster has not reached: the database was ` +
      'restored from another one. Move the cluster past it (pg_resetwal --epoch) before anything is served: decision 8.',
  );
}
