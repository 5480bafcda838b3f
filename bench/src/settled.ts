import { Client } from 'pg';

const limitMs = 120_000;

/** Resolves when no payment waits for its settlement. Throws after two minutes. */
export async function untilSettled(databaseUrl: string): Promise<void> {
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  const deadline = performance.now() + limitMs;
  try {
    for (;;) {
      const { rows } = await database.query<{ open: string }>(
        `select count(*) as open from keyfare.payment where state in ('claimed', 'served', 'settling')`,
      );
      const open = Number(rows[0]?.open);
      if (open === 0) return;
      if (performance.now() > deadline) throw new Error(`${String(open)} payments are still not settled`);
      await new Promise((wake) => setTimeout(wake, 500));
    }
  } finally {
    await database.end();
  }
}
