import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cpuMicroseconds } from '../cpu.js';
import type { Books } from './books.js';

const warmUp = 10_000;
const measured = 15_000;

/** What the intake costs for each entry, billing and PostgreSQL together, and how fast it is. */
export interface IntakeFigures {
  readonly cpuUs: number;
  readonly postgresUs: number;
  readonly postedPerSecond: number;
  readonly rssMb: number;
}

/** The better of two rounds over the same number of entries, after a warm-up. */
export async function benchIntake(books: Books): Promise<IntakeFigures> {
  await books.log.append(warmUp);
  await books.log.place();
  await books.booked();
  const rounds = [await round(books), await round(books)];
  const [bad] = await books.sql.query<{ n: number }>({
    text: 'select count(*)::int as n from billing.entry where fault is not null',
  });
  if (bad?.n !== 0) throw new Error(`${String(bad?.n)} honest entries were refused`);
  return rounds.toSorted((a, b) => a.cpuUs - b.cpuUs)[0] as IntakeFigures;
}

async function round(books: Books): Promise<IntakeFigures> {
  const { log, pids, sql } = books;
  const before = await books.booked();
  await log.append(measured);
  // What was written before is not written out during the measurement.
  await sql.query({ text: 'analyze keyfare.entry, keyfare.placed' });
  await sql.query({ text: 'checkpoint' });
  const cpu = { billing: cpuMicroseconds(pids.billing), postgres: cpuMicroseconds(pids.postgres) };
  const startedAt = performance.now();
  await log.place();
  const entries = (await books.booked()) - before;
  const seconds = (performance.now() - startedAt) / 1_000;
  const postgresUs = (cpuMicroseconds(pids.postgres) - cpu.postgres) / entries;
  return {
    cpuUs: (cpuMicroseconds(pids.billing) - cpu.billing) / entries + postgresUs,
    postgresUs,
    postedPerSecond: entries / seconds,
    rssMb: residentMb(pids.billing),
  };
}

/** The most that the process ever held: VmHWM of /proc/<pid>/status (proc(5)). */
export function residentMb(pid: number): number {
  const [, kibibytes = ''] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Number(kibibytes) / 1_024;
}

/** CPU microseconds of one check of a receipt's signature in OpenSSL. */
export function checkCost(milliseconds: number): number {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = randomBytes(800);
  const signature = sign(null, bytes, privateKey);
  const run = (until: number): number => {
    let runs = 0;
    while (performance.now() < until) {
      for (let index = 0; index < 16; index += 1) if (!verify(null, bytes, publicKey, signature)) throw new Error();
      runs += 16;
    }
    return runs;
  };
  run(performance.now() + milliseconds / 3);
  const before = process.cpuUsage();
  const runs = run(performance.now() + milliseconds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / runs;
}
