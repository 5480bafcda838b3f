import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import { inOneSnapshot } from '@keyfare/db/snapshot';
import { isRetryable, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { SignaturePool } from '../signature-pool.js';
import { Standstills } from '../standstills.js';
import { clock, reportPool } from '../tokens.js';
import { recordBreaks, resolveGone, resolveNameless } from './breaks.sql.js';
import { type BreakClass, type Check, windowColumns } from './checks/check.js';
import { type Findings, type Reading, readBooks } from './read-books.js';
import type { ReconciliationReport } from './report.js';
import type { RunInput } from './run-input.js';
import type { RunTrigger } from './run-store.js';
import { sumBreaks } from './summary.js';

/** A run, as it is answered. */
export interface Run {
  readonly id: string;
  readonly trigger: RunTrigger;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly entriesAsOf: Date | null;
  readonly chainAsOf: Date | null;
  readonly report: ReconciliationReport;
  readonly digest: Buffer;
}

/** Compares what the receipts, the usage, the ledger and the chain say, and keeps the list of differences. */
@Injectable()
export class ReconcileService {
  constructor(
    private readonly config: BillingConfig,
    @Inject(reportPool) private readonly sql: SqlPool,
    private readonly standstills: Standstills,
    private readonly signatures: SignaturePool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * One run: it reads one snapshot of the books, in which it locks nothing, and then writes what differs in one short
   * transaction. What operators change between the two is as they left it, unless the difference is another by now. A
   * run over books that have not changed finds the same and changes nothing but when the breaks were last seen.
   */
  async run(input: RunInput): Promise<Run> {
    const { config, standstills, signatures, now } = this;
    const reading = await inOneSnapshot(this.sql, (read) =>
      readBooks(read, input, { config, standstills, signatures, now }),
    );
    for (;;) {
      try {
        return await this.sql.transaction((tx) => this.#write(tx, input, reading));
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
    }
  }

  /** Whether the run has written what it found. */
  async isWritten(id: string): Promise<boolean> {
    const rows = await this.sql.query({ text: 'select 1 from billing.reconciliation where id = $1', values: [id] });
    return rows.length > 0;
  }

  async #write(
    tx: Sql,
    input: RunInput,
    { at, entriesAsOf, findings, report, chainAsOf, plan }: Reading,
  ): Promise<Run> {
    const { id, trigger, startedAt } = input;
    const { proof, invoices } = plan;
    await input.onWrite(tx);
    for (const { check, rows } of findings) {
      if (rows.length > 0) await tx.query({ text: recordBreaks, values: [id, at, rows, check.name] });
    }
    for (const { check } of findings) {
      const window = windowColumns(check.window ?? null);
      const { key = null, ids = null } = check.among ?? {};
      await tx.query({ text: resolveGone, values: [id, at, check.name, ...window, check.classes, key, ids] });
    }
    await tx.query({ text: resolveNameless, values: [id, at, readWhole(findings)] });
    await proof.store(tx, at);
    await invoices.store(tx, at);
    const whole: ReconciliationReport = { ...report, breaks: await sumBreaks(tx) };
    const digest = createHash('sha256').update(canonicalJson(whole)).digest();
    const finishedAt = this.now();
    const run: Run = {
      id,
      trigger,
      startedAt,
      finishedAt,
      entriesAsOf,
      chainAsOf,
      report: whole,
      digest,
    };
    await this.#store(tx, run);
    return run;
  }

  async #store(tx: Sql, run: Run): Promise<void> {
    await tx.query({
      text: `insert into billing.reconciliation (id, trigger, started_at, finished_at, entries_as_of, chain_as_of, report,
        digest) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      values: [
        run.id,
        run.trigger,
        run.startedAt,
        run.finishedAt,
        run.entriesAsOf,
        run.chainAsOf,
        JSON.stringify(run.report),
        run.digest,
      ],
    });
  }
}

/** The classes of which every check read everything. */
function readWhole(findings: readonly Findings[]): readonly BreakClass[] {
  const inPart = new Set(findings.flatMap(({ check }) => (readsAll(check) ? [] : check.classes)));
  return [...new Set(findings.flatMap(({ check }) => check.classes))].filter((name) => !inPart.has(name));
}

function readsAll({ window, among }: Check): boolean {
  return (window === undefined || window === null) && among === undefined;
}
