import type { SqlPool } from '@keyfare/db/sql';
import { measurePrimitives } from '../floor.js';
import type { Report } from '../report.js';
import { type Books, startBooks } from './books.js';
import { benchIntake, checkCost, residentMb } from './intake.js';
import { fillLargeBooks } from './large-books.js';
import { benchReconcile } from './reconcile.js';
import { benchReports } from './reports.js';

const small = 100_000;
const large = 300_000;
const sizes = [30_000, small, large];
const million = 1_000_000;

/**
 * The books over an honest log: each figure has a file of its own beside this one. With `full`, up to a million and a
 * million of transfers.
 */
export async function benchBilling({ full }: { readonly full: boolean }): Promise<Report> {
  const { insert } = await measurePrimitives();
  const check = Math.min(checkCost(1_000), checkCost(1_000));
  const reports = await withBooks(benchReports, (sql) =>
    fillLargeBooks(sql, { calls: million, accounts: 200, months: 3, cases: 2_000 }),
  );
  return withBooks(async (books) => {
    const intake = await benchIntake(books);
    const reconcile = await benchReconcile(
      books,
      full ? { sizes: [...sizes, million], transfers: million } : { sizes, transfers: 0 },
    );
    const floorUs = check + insert;
    return {
      bench: 'billing',
      figures: {
        intake,
        primitivesUs: { check, insert },
        floorUs,
        posted_per_second: intake.postedPerSecond,
        reconcile_seconds: reconcile.full,
        nightly_seconds: reconcile.nightly,
        feed_delay_ms: reconcile.feedDelayMs,
        invoice_100k_seconds: reports.invoiceSeconds,
        report_p95_ms: reports.p95Ms,
        rss_mb: { intake: intake.rssMb, reconcile: residentMb(books.pids.billing), reports: reports.rssMb },
      },
      ratios: {
        intake_cpu_over_floor: intake.cpuUs / floorUs,
        reconcile_growth: (reconcile.full[large] ?? 0) / (reconcile.full[small] ?? 0),
      },
    };
  });
}

async function withBooks<T>(work: (books: Books) => Promise<T>, fill?: (sql: SqlPool) => Promise<void>): Promise<T> {
  const books = await startBooks(fill);
  try {
    return await work(books);
  } finally {
    await books.stop();
  }
}
