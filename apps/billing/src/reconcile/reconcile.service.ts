import { createHash, randomUUID } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import { isRetryable, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import type { AccountsReading } from '../accounts-reading.js';
import { BillingConfig } from '../config.js';
import { Standstills } from '../standstills.js';
import { clock, reportPool } from '../tokens.js';
import { recordBreaks, resolveGone } from './breaks.sql.js';
import { type BalanceReading, canCheckBalances, checkBalances } from './checks/balance.sql.js';
import { breakClasses, type Check } from './checks/check.js';
import { checkDocuments, checkEntries } from './checks/entries.sql.js';
import { checkFinalInvoices, checkInvoices } from './checks/invoices.sql.js';
import { checkCharges, checkLedger, checkPosted } from './checks/ledger.sql.js';
import { checkLimits } from './checks/limits.sql.js';
import { checkMatches } from './checks/matches.sql.js';
import { checkMeter } from './checks/meter.sql.js';
import { checkPayments, checkRefunds, checkTransfers } from './checks/payments.sql.js';
import { checkStandstills } from './checks/standstills.sql.js';
import { checkTerms } from './checks/terms.sql.js';
import type { PaymentJudgement } from './payment-status.sql.js';
import type { ReconciliationReport } from './report.js';
import { summarize } from './summary.js';

/** What was learned outside of the books before a run. */
export interface RunInput {
  readonly trigger: 'manual' | 'schedule';
  readonly startedAt: Date;
  /** Whether every entry that was there at the start has been read. */
  readonly entriesComplete: boolean;
  /**
   * Null when they could not be read, or when not every entry before them has been read: then they are not compared.
   */
  readonly accounts: AccountsReading | null;
  readonly chainState: ReconciliationReport['chain']['state'];
  /** Of the wallets of which a node could tell. */
  readonly balances: readonly BalanceReading[];
  /** What belongs to the run and is written in its transaction; again, when the database has it run again. */
  readonly within?: ((tx: Sql, run: Run) => Promise<void>) | undefined;
}

/** A run, as it is answered. */
export interface Run {
  readonly id: string;
  readonly trigger: 'manual' | 'schedule';
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly entriesAsOf: Date | null;
  readonly chainAsOf: Date | null;
  readonly report: ReconciliationReport;
  readonly digest: Buffer;
}

interface FeedState {
  readonly place: string;
  readonly complete_as_of: Date | null;
}

/** Compares what the receipts, the usage, the ledger and the chain say, and keeps the list of differences. */
@Injectable()
export class ReconcileService {
  constructor(
    private readonly config: BillingConfig,
    @Inject(reportPool) private readonly sql: SqlPool,
    private readonly standstills: Standstills,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /**
   * One run over one snapshot of the books, while intake and chain go on. Runs take turns. A run over books that have
   * not changed finds the same and changes nothing but when the breaks were last seen.
   */
  async run(input: RunInput): Promise<Run> {
    for (;;) {
      try {
        return await this.sql.transaction((tx) => this.#run(tx, input));
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
    }
  }

  async #run(tx: Sql, input: RunInput): Promise<Run> {
    await tx.query({ text: 'set transaction isolation level repeatable read' });
    // Before the snapshot is taken, so that it shows what the run before this one has written.
    await tx.query({ text: 'lock table billing.break in share row exclusive mode' });
    const id = randomUUID();
    const at = this.now();
    const feed = await this.#feedState(tx);
    const judgement: PaymentJudgement = {
      graceSeconds: this.config.reconcileGraceSeconds,
      entriesCompleteAsOf: feed.complete_as_of,
      network: this.config.network,
      payTo: this.config.payTo,
    };
    const checks = [
      ...checksOf(input, judgement),
      checkBalances(input.balances, { whole: await canCheckBalances(tx, input.balances) }),
      checkStandstills(await this.standstills.find(tx)),
    ];
    for (const check of checks) {
      await tx.query({ text: recordBreaks(check), values: [id, at, ...check.values] });
    }
    const checked = new Set(checks.flatMap(({ classes }) => classes));
    await tx.query({ text: resolveGone, values: [id, at, [...checked]] });
    const { report, chainAsOf } = await summarize(tx, {
      entriesComplete: input.entriesComplete,
      place: feed.place,
      chainState: input.chainState,
      balances: new Map(input.balances.map(({ watch, balance }) => [watch, balance])),
      unchecked: breakClasses.filter((name) => !checked.has(name)),
      judgement,
    });
    const digest = createHash('sha256').update(canonicalJson(report)).digest();
    const { trigger, startedAt } = input;
    const finishedAt = this.now();
    const run: Run = {
      id,
      trigger,
      startedAt,
      finishedAt,
      entriesAsOf: feed.complete_as_of,
      chainAsOf,
      report,
      digest,
    };
    await this.#store(tx, run);
    await input.within?.(tx, run);
    return run;
  }

  async #feedState(tx: Sql): Promise<FeedState> {
    const [row] = await tx.query<FeedState>({
      text: `select place::text as place, complete_as_of from billing.feed_cursor where feed = 'api'`,
    });
    return row ?? { place: '0', complete_as_of: null };
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

function checksOf({ accounts }: RunInput, judgement: PaymentJudgement): readonly Check[] {
  return [
    checkEntries(),
    checkDocuments(),
    checkPosted(),
    checkCharges(),
    checkLimits(),
    checkLedger(),
    checkInvoices(),
    checkFinalInvoices(),
    checkPayments(judgement),
    checkTransfers(),
    checkMatches(),
    checkRefunds(),
    ...(accounts === null ? [] : [checkMeter(accounts, accounts.meter), checkTerms(accounts, accounts.terms)]),
  ];
}
