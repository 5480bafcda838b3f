import type { Clock } from '@keyfare/core/time';
import type { Read } from '@keyfare/db/snapshot';
import type { Sql } from '@keyfare/db/sql';
import type { BillingConfig } from '../config.js';
import type { SignaturePool } from '../signature-pool.js';
import type { Standstills } from '../standstills.js';
import { canCheckBalances, checkBalances } from './checks/balance.sql.js';
import { checkCharges, checkPosted } from './checks/charges.sql.js';
import { type BreakClass, breakClasses, type Check, leftOut } from './checks/check.js';
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
import { checkGasSpent, checkSums } from './checks/sums.sql.js';
import { checkTerms } from './checks/terms.sql.js';
import type { PaymentJudgement } from './payment-status.sql.js';
import { type Plan, planRun } from './plan.js';
import type { ReconciliationReport } from './report.js';
import type { RunInput } from './run-input.js';
import { summarize } from './summary.js';

/** What one check found, each as a JSON text. */
export interface Findings {
  readonly check: Check;
  readonly rows: readonly string[];
}

/** What a run found in its snapshot. */
export interface Reading {
  readonly at: Date;
  /** Every entry is in that was committed by then; null while there is no such moment. */
  readonly entriesAsOf: Date | null;
  readonly findings: readonly Findings[];
  readonly report: Omit<ReconciliationReport, 'breaks'>;
  readonly chainAsOf: Date | null;
  readonly plan: Plan;
}

/** What the checks read besides the books. */
export interface Readers {
  readonly config: BillingConfig;
  readonly standstills: Standstills;
  readonly signatures: SignaturePool;
  readonly now: Clock;
}

/** One or more checks that are made ready and done together. */
interface Task {
  /** As a run's progress names it. */
  readonly name: string;
  readonly make: (tx: Sql, plan: Promise<Plan>) => readonly Check[] | Promise<readonly Check[]>;
}

interface FeedState {
  readonly place: string;
  readonly complete_as_of: Date | null;
}

/** Does all checks of a run over one snapshot, and adds up its figures. */
export async function readBooks(
  read: Read,
  input: RunInput,
  { config, standstills, signatures, now }: Readers,
): Promise<Reading> {
  const { id, scope, trigger, onProgress } = input;
  const at = now();
  const feed = await read(readFeedState);
  const judgement: PaymentJudgement = {
    graceSeconds: config.reconcileGraceSeconds,
    entriesCompleteAsOf: feed.complete_as_of,
    network: config.network,
    payTo: config.payTo,
  };
  const isMoving = await read(async (tx) => readIsMoving(tx, config.network.caip2));
  const tasks = [...tasksOfBooks(input, judgement, { at, standstills, isMoving }), ...tasksOfLog];
  // Beside the checks: the proofs, the figures, and the signatures.
  const total = tasks.length + 3;
  let done = 0;
  const step = async <T>(check: string, task: (tx: Sql) => Promise<T>): Promise<T> =>
    read(async (tx) => {
      await onProgress({ check, done, total });
      const result = await task(tx);
      done += 1;
      return result;
    });
  // It is the first that is read, so whoever waits for it with a connection in hand waits for one that has begun.
  const planned = step('proofs', (tx) =>
    planRun(tx, { scope, trigger, place: BigInt(feed.place), nights: config.proofRotationNights }),
  );
  const figures = step('figures', (tx) =>
    summarize(tx, {
      entriesComplete: input.entriesComplete,
      place: feed.place,
      chainState: input.chainState,
      balances: new Map(input.balances.map(({ watch, balance }) => [watch, balance])),
      judgement,
    }),
  );
  const found = tasks.map(({ name, make }) =>
    step(name, async (tx) => {
      const findings: Findings[] = [];
      for (const check of await make(tx, planned)) findings.push(await find(tx, check, [id, at]));
      return findings;
    }),
  );
  const signed = step('signatures', async (tx) => {
    const { signed: window } = await planned;
    const check = await checkSignatures(tx, window, {
      signatures,
      beat: async () => onProgress({ check: 'signatures', done, total }),
    });
    return [await find(tx, check, [id, at])];
  });
  const [plan, { report, chainAsOf }, ...findings] = await Promise.all([planned, figures, ...found, signed]);
  return {
    at,
    entriesAsOf: feed.complete_as_of,
    findings: findings.flat(),
    report: { ...report, unchecked: uncheckedBy(findings.flat(), scope) },
    chainAsOf,
    plan,
  };
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

async function readFeedState(tx: Sql): Promise<FeedState> {
  const [row] = await tx.query<FeedState>({
    text: `select place::text as place, complete_as_of from billing.feed_cursor where feed = 'api'`,
  });
  return row ?? { place: '0', complete_as_of: null };
}

/** Whether transfers are on their way to a wallet that was named. */
async function readIsMoving(tx: Sql, network: string): Promise<boolean> {
  const [row] = await tx.query<{ moving: boolean }>({
    text: 'select exists (select 1 from billing.wallet where network = $1 and not applied) as moving',
    values: [network],
  });
  return row?.moving === true;
}

/**
 * Those that need no plan, the longest first. `isMoving`: a wallet was named, and what was booked before is still on
 * its way to where it belongs since. Where a transfer should stand is left out then.
 */
function tasksOfBooks(
  input: RunInput,
  judgement: PaymentJudgement,
  { at, standstills, isMoving }: { readonly at: Date; readonly standstills: Standstills; readonly isMoving: boolean },
): readonly Task[] {
  const isWhole = input.scope === 'full';
  const payments = isWhole ? 'all' : 'open';
  const standing = (check: Check): Check => (isMoving ? leftOut(check) : check);
  return [
    {
      name: 'balances of the ledger',
      make: async (tx) => (isWhole || isMoving || (await needsLedger(tx)) ? [standing(checkLedger())] : []),
    },
    alone(checkPayments(judgement, payments)),
    alone(checkTransfers(payments)),
    ...(isWhole ? [alone(standing(checkMatches())), alone(checkSums()), alone(standing(checkGasSpent()))] : []),
    alone(checkInvoices()),
    { name: 'accounts', make: async (tx) => checksOfAccounts(tx, input, { at }) },
    alone(checkFaults()),
    alone(checkLimits()),
    alone(checkNumbers()),
    alone(checkRefunds()),
    {
      name: 'balances of wallets',
      make: async (tx) => [checkBalances(input.balances, { whole: await canCheckBalances(tx, input.balances) })],
    },
    { name: 'standstills', make: async (tx) => [checkStandstills(await standstills.find(tx))] },
  ];
}

/** Those that go along the log, or read what a plan says is due. */
const tasksOfLog: readonly Task[] = [
  { name: 'charges', make: async (_tx, plan) => [checkCharges((await plan).window)] },
  { name: 'copies', make: async (_tx, plan) => [checkCopies((await plan).window)] },
  { name: 'documents', make: async (_tx, plan) => [checkDocuments((await plan).window)] },
  { name: 'posted', make: async (_tx, plan) => [checkPosted((await plan).window)] },
  { name: 'final invoices', make: async (_tx, plan) => [checkFinalInvoices((await plan).invoices.due)] },
  { name: 'history', make: async (_tx, plan) => [(await plan).proof.check] },
];

function alone(check: Check): Task {
  return { name: check.name, make: () => [check] };
}

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

/** What only a full run looks for. */
const ofFullRuns: ReadonlySet<BreakClass> = new Set(['match-mismatch']);

function uncheckedBy(findings: readonly Findings[], scope: RunInput['scope']): BreakClass[] {
  const checked = new Set(findings.flatMap(({ check }) => check.classes));
  const left = new Set(findings.flatMap(({ check }) => (check.isLeftOut === true ? check.classes : [])));
  return breakClasses.filter(
    (name) => left.has(name) || (!checked.has(name) && (scope === 'full' || !ofFullRuns.has(name))),
  );
}
