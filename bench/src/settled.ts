import { Client } from 'pg';

const limitMs = 120_000;

/** Resolves when no payment waits for its settlement. Throws after two minutes. */
export async function untilSettled(databaseUrl: string): Promise<void> {
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  const deadline = performance.now() + limitMs;
  try {
    for (;;) {
      const { rows } = await database.query<{ state: string; count: string }>(
        `select state, count(*) from keyfare.payment where state in ('claimed', 'served', 'settling') group by state`,
      );
      if (rows.length === 0) return;
      const open = rows.map(({ state, count }) => `${count} ${state}`).join(', ');
      if (performance.now() > deadline) throw new Error(`payments are still not settled: ${open}`);
      await new Promise((wake) => setTimeout(wake, 500));
    }
  } finally {
    await database.end();
  }
}
