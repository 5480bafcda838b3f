import { randomUUID } from 'node:crypto';
import type { Books } from './books.js';
import { expectNoBreaks, fillTransfers } from './transfers.js';

/** What runs of the reconciliation take, in seconds from their beginning to their end. */
export interface ReconcileFigures {
  /** Of a full run, with every signature, by the number of entries; with `+` that of the transfers after it. */
  readonly full: Readonly<Record<string, number>>;
  /** Of the night after one hundredth more entries. */
  readonly nightly: number;
  /** How long an entry that gets its place in the middle of a full run takes to be booked. */
  readonly feedDelayMs: number;
}

const inOneLog = 10_000;

/**
 * Lets the books grow to each of the sizes, the smallest first, and reconciles there; with `transfers`, again with so
 * many of them.
 */
export async function benchReconcile(
  books: Books,
  { sizes, transfers }: { readonly sizes: readonly number[]; readonly transfers: number },
): Promise<ReconcileFigures> {
  const full: Record<string, number> = {};
  for (const size of sizes) {
    await grow(books, size);
    full[String(size)] = await run(books, 'full');
  }
  const largest = await books.booked();
  if (transfers > 0) {
    await fillTransfers(books.sql, transfers);
    full[`${String(sizes.at(-1))}+${String(transfers)}`] = await run(books, 'full');
    await expectNoBreaks(books.sql);
  }
  await grow(books, Math.ceil(largest * 1.01));
  const nightly = await run(books, 'recent');
  let feedDelayMs = 0;
  await books.log.append(1);
  await run(books, 'full', async () => {
    const startedAt = performance.now();
    await books.log.place();
    await books.booked();
    feedDelayMs = performance.now() - startedAt;
  });
  return { full, nightly, feedDelayMs };
}

async function grow(books: Books, size: number): Promise<void> {
  for (let entries = await books.booked(); entries < size; entries = await books.booked()) {
    await books.log.append(Math.min(inOneLog, size - entries));
    await books.log.place();
  }
  await books.sql.query({ text: 'analyze' });
}

/** One run as of the night; `meanwhile` is done when it has begun. */
async function run({ sql }: Books, scope: 'recent' | 'full', meanwhile?: () => Promise<void>): Promise<number> {
  const id = randomUUID();
  await sql.query({
    text: `insert into billing.reconciliation_run (id, scope, trigger, state, requested_at)
      values ($1, $2, 'schedule', 'queued', now())`,
    values: [id, scope],
  });
  let begun = false;
  for (;;) {
    const [row] = await sql.query<{ state: string; seconds: number | null; failure: string | null }>({
      text: `select state, failure, extract(epoch from finished_at - started_at)::float8 as seconds
        from billing.reconciliation_run where id = $1`,
      values: [id],
    });
    if (row?.state === 'done') return row.seconds ?? 0;
    if (row?.state === 'failed') throw new Error(`the run failed: ${row.failure ?? ''}`);
    if (row?.state === 'running' && !begun) {
      begun = true;
      await meanwhile?.();
    }
    await new Promise((wake) => setTimeout(wake, 20));
  }
}
