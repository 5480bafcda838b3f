import { measurePrimitives } from '../floor.js';
import type { Report } from '../report.js';
import { startBooks } from './books.js';
import { benchIntake, checkCost } from './intake.js';
import { benchReconcile } from './reconcile.js';

const small = 100_000;
const large = 300_000;

/** The books over an honest log: each figure has a file of its own beside this one. */
export async function benchBilling(): Promise<Report> {
  const { insert } = await measurePrimitives();
  const check = Math.min(checkCost(1_000), checkCost(1_000));
  const books = await startBooks();
  try {
    const intake = await benchIntake(books);
    const reconcile = await benchReconcile(books, [small, large]);
    const floorUs = check + insert;
    return {
      bench: 'billing',
      figures: {
        intake,
        primitivesUs: { check, insert },
        floorUs,
        posted_per_second: intake.postedPerSecond,
        intake_rss_mb: intake.rssMb,
        reconcile_seconds: reconcile.full,
        nightly_seconds: reconcile.nightly,
        feed_delay_ms: reconcile.feedDelayMs,
      },
      ratios: {
        intake_cpu_over_floor: intake.cpuUs / floorUs,
        reconcile_growth: (reconcile.full[large] ?? 0) / (reconcile.full[small] ?? 0),
      },
    };
  } finally {
    await books.stop();
  }
}
