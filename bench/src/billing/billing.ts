import { measurePrimitives } from '../floor.js';
import type { Report } from '../report.js';
import { startBooks } from './books.js';
import { benchIntake, checkCost } from './intake.js';

/** The books over an honest log: each figure has a file of its own beside this one. */
export async function benchBilling(): Promise<Report> {
  const { insert } = await measurePrimitives();
  const check = Math.min(checkCost(1_000), checkCost(1_000));
  const books = await startBooks();
  try {
    const intake = await benchIntake(books);
    const floorUs = check + insert;
    return {
      bench: 'billing',
      figures: {
        intake,
        primitivesUs: { check, insert },
        floorUs,
        posted_per_second: intake.postedPerSecond,
        intake_rss_mb: intake.rssMb,
      },
      ratios: { intake_cpu_over_floor: intake.cpuUs / floorUs },
    };
  } finally {
    await books.stop();
  }
}
