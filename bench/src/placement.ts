import { Client } from 'pg';

/** How old the oldest entry without a place was, each time that was asked. */
export interface PlacementFigures {
  readonly p50Ms: number;
  readonly maxMs: number;
  readonly samples: number;
}

const everyMs = 50;

/** The ids of entries are UUIDv7 (RFC 9562 §5.7): they begin with the milliseconds at which their calls came in. */
const oldest = `
  select extract(epoch from clock_timestamp()) * 1000
    - ('x' || lpad(left(replace(min(id::text), '-', ''), 12), 16, '0'))::bit(64)::bigint as lag
  from keyfare.unplaced, unnest(ids) id`;

/** Watches how long entries wait for their places while the work is done. */
export async function watchPlacement(databaseUrl: string, work: () => Promise<unknown>): Promise<PlacementFigures> {
  const database = new Client({ connectionString: databaseUrl });
  await database.connect();
  const lags: number[] = [];
  const end = new AbortController();
  const watching = (async () => {
    while (!end.signal.aborted) {
      const { rows } = await database.query<{ lag: string | null }>(oldest);
      lags.push(Number(rows[0]?.lag ?? 0));
      await new Promise((wake) => setTimeout(wake, everyMs));
    }
  })();
  try {
    await work();
  } finally {
    end.abort();
    await watching;
    await database.end();
  }
  const sorted = lags.toSorted((a, b) => a - b);
  return { p50Ms: sorted[sorted.length >> 1] ?? 0, maxMs: sorted.at(-1) ?? 0, samples: sorted.length };
}
