import { createHash } from 'node:crypto';
import { canonicalJson } from '@keyfare/core/encoding';
import type { Clock } from '@keyfare/core/time';
import { isRetryable, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import type { AccountsReading } from '../accounts-reading.js';
import { BillingConfig } from '../config.js';
import { SignaturePool } from '../signature-pool.js';
import { Standstills } from '../standstills.js';
import { clock, reportPool } from '../tokens.js';
import { recordBreaks, resolveGone, resolveNameless } from './breaks.sql.js';
import { type BalanceReading, canCheckBalances, checkBalances } from './checks/balance.sql.js';
import { checkCharges, checkPosted } from './checks/charges.sql.js';
import { type BreakClass, breakClasses, type Check, windowColumns } from './checks/check.js';
import { checkCopies, checkDocuments, checkFaults } from './checks/entries.sql.js';
import { checkFinalInvoices, checkNumbers } from './checks/final-invoices.sql.js';
import { checkInvoices } from './checks/invoices.sql.js';
import { checkLedger, needsLedger } from './checks/ledger.sql.js';
import { checkLimits } from './checks/limits.sql.js';
import { checkMatches } from './checks/matches.sql.js';
import { checkMeter, checkTotals, needsEntries } from './checks/meter.sql.js';
import { checkPayments, checkRefunds, checkTransfers } from './checks/payments.sql.js';
import { checkSignatures } from './checks/signatures.js';
import { checkStandstills } from './checks/standstills.sql.js';
import { checkSums } from './checks/sums.sql.js';
import { checkTerms } from './checks/terms.sql.js';
import type { PaymentJudgement } from './payment-status.sql.js';
import { type Plan, planRun } from './plan.js';
import type { ReconciliationReport } from './report.js';
import type { Progress, RunScope, RunTrigger } from './run-store.js';
import { sumBreaks, summarize } from './summary.js';

/** What was learned outside of the books before a run. */
export interface RunInput {
  readonly id: string;
  readonly scope: RunScope;
  readonly trigger: RunTrigger;
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
  /** Called as the run goes on; it rejects to have the run end, of which then nothing is kept. */
  readonly onProgress: (progress: Progress) => Promise<void>;
  /** The first in the transaction that writes what was found; it rejects as `onProgress`. */
  readonly onWrite: (tx: Sql) => Promise<void>;
}

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

interface FeedState {
  readonly place: string;
  readonly complete_as_of: Date | null;
}

/** What one check found, each as a JSON text. */
interface Findings {
  readonly check: Check;
  readonly rows: readonly string[];
}

/** What a run found in its snapshot. */
interface Reading {
  readonly at: Date;
  readonly feed: FeedState;
  readonly findings: readonly Findings[];
  readonly report: Omit<ReconciliationReport, 'breaks'>;
  readonly chainAsOf: Date | null;
  readonly plan: Plan;
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
    const reading = await this.sql.transaction(async (tx) => {
      await tx.query({ text: 'set transaction isolation level repeatable read, read only' });
      return this.#read(tx, input);
    });
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

  async #read(tx: Sql, input: RunInput): Promise<Reading> {
    const { scope, trigger, onProgress } = input;
    const at = this.now();
    await onProgress({ check: 'proofs', done: 0, total: 1 });
    const feed = await this.#feedState(tx);
    const judgement: PaymentJudgement = {
      graceSeconds: this.config.reconcileGraceSeconds,
      entriesCompleteAsOf: feed.complete_as_of,
      network: this.config.network,
      payTo: this.config.payTo,
    };
    const nights = this.config.proofRotationNights;
    const plan = await planRun(tx, { scope, trigger, place: BigInt(feed.place), nights });
    const isWhole = scope === 'full';
    await onProgress({ check: 'balances of the ledger', done: 0, total: 1 });
    const checks = [
      ...checksOf(input, judgement, plan),
      ...(await checksOfAccounts(tx, input, { at })),
      ...(isWhole || (await needsLedger(tx)) ? [checkLedger()] : []),
      checkBalances(input.balances, { whole: await canCheckBalances(tx, input.balances) }),
      checkStandstills(await this.standstills.find(tx)),
      plan.proof.check,
    ];
    // Beside the checks: the proofs, the signatures, and the figures.
    const total = checks.length + 3;
    const findings: Findings[] = [];
    for (const [index, check] of checks.entries()) {
      await onProgress({ check: check.name, done: index + 1, total });
      findings.push(await find(tx, check, [input.id, at]));
    }
    const signing = { check: 'signatures', done: checks.length + 1, total };
    await onProgress(signing);
    const signatures = await checkSignatures(tx, plan.signed, {
      signatures: this.signatures,
      beat: async () => onProgress(signing),
    });
    findings.push(await find(tx, signatures, [input.id, at]));
    await onProgress({ check: 'figures', done: checks.length + 2, total });
    const checked = new Set(checks.flatMap(({ classes }) => classes));
    const { report, chainAsOf } = await summarize(tx, {
      entriesComplete: input.entriesComplete,
      place: feed.place,
      chainState: input.chainState,
      balances: new Map(input.balances.map(({ watch, balance }) => [watch, balance])),
      unchecked: breakClasses.filter((name) => !checked.has(name) && (isWhole || !ofFullRuns.has(name))),
      judgement,
    });
    return { at, feed, findings, report, chainAsOf, plan };
  }

  async #write(tx: Sql, input: RunInput, { at, feed, findings, report, chainAsOf, plan }: Reading): Promise<Run> {
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
      entriesAsOf: feed.complete_as_of,
      chainAsOf,
      report: whole,
      digest,
    };
    await this.#store(tx, run);
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

/** What only a full run looks for. */
const ofFullRuns: ReadonlySet<BreakClass> = new Set(['match-mismatch']);

/** Every entry is added up by a full run, and where the totals of the months differ from the counters. */
async function checksOfAccounts(
  tx: Sql,
  { id, accounts, scope }: RunInput,
  { at }: { readonly at: Date },
): Promise<readonly Check[]> {
  const isFull = scope === 'full';
  if (accounts === null) return isFull ? [checkTotals()] : [];
  const byTotals = checkMeter(accounts, { rows: accounts.meter, isWhole: false });
  const isWhole = isFull || (await needsEntries(tx)) || (await find(tx, byTotals, [id, at])).rows.length > 0;
  const meter = isWhole ? [checkMeter(accounts, { rows: accounts.meter, isWhole }), checkTotals()] : [byTotals];
  return [...meter, checkTerms(accounts, accounts.terms)];
}

function checksOf(
  { scope }: RunInput,
  judgement: PaymentJudgement,
  { window, invoices }: Pick<Plan, 'window' | 'invoices'>,
): readonly Check[] {
  const payments = scope === 'full' ? 'all' : 'open';
  return [
    checkFaults(),
    checkCopies(window),
    checkDocuments(window),
    checkPosted(window),
    checkCharges(window),
    checkLimits(),
    checkInvoices(),
    checkFinalInvoices(invoices.due),
    checkNumbers(),
    checkPayments(judgement, payments),
    checkTransfers(payments),
    ...(scope === 'full' ? [checkMatches(), checkSums()] : []),
    checkRefunds(),
  ];
}

/** The rows as JSON texts, so that no amount passes through a `number`. The run and its time need not be asked for. */
async function find(tx: Sql, check: Check, [id, at]: readonly [string, Date]): Promise<Findings> {
  const rows = await tx.query<{ found: string }>({
    text: `select to_jsonb(found)::text as found from (${check.text}) as found
      where $1::uuid is not null and $2::timestamptz is not null`,
    values: [id, at, ...check.values],
  });
  return { check, rows: rows.map(({ found }) => found) };
}

/** The classes of which every check read everything. */
function readWhole(findings: readonly Findings[]): readonly BreakClass[] {
  const inPart = new Set(findings.flatMap(({ check }) => (readsAll(check) ? [] : check.classes)));
  return [...new Set(findings.flatMap(({ check }) => check.classes))].filter((name) => !inPart.has(name));
}

function readsAll({ window, among }: Check): boolean {
  return (window === undefined || window === null) && among === undefined;
}
