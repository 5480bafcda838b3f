import { setTimeout as pause } from 'node:timers/promises';
import { isProblem, Problem } from '@keyfare/core/problem';
import type { Clock } from '@keyfare/core/time';
import { errorCode, type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { GoodEntry } from '../entry.js';
import { type CheckedRow, EntryStore, type RefusedEntry } from '../intake/entry-store.js';
import { type FeedBatch, type FeedGap, type FeedRow, findGap, type LogFeed } from '../intake/feed.js';
import { type CheckedRows, type FeedCursor, IntakeService, type LogMoment } from '../intake/intake.service.js';
import { paymentOf } from '../intake/payment-of.js';
import { identificationOf, journalsOfCall, journalsOfRefund, journalsOfTurn } from '../ledger/flows.js';
import { LedgerService } from '../ledger/ledger.service.js';
import type { Rated } from '../rating/rate-entries.js';
import { RatingService } from '../rating/rating.service.js';
import { changeProven } from '../reconcile/reproof.js';
import { BillingMetrics } from '../status/metrics.js';
import { codeOf } from '../token.js';
import { clock, logFeed } from '../tokens.js';
import { awaitBooks, awaitIntake, tryTurn, turns } from '../turns.js';
import { followPayments } from './follow-payments.js';
import { matchLives } from './match-lives.js';
import { claimsOf, readLives } from './payments.sql.js';
import { findReclaimed, standingOf } from './reclaimed.js';
import { matchRefunds, refundKeys } from './refunds.js';
import { Serial } from './serial.js';

/**
 * What a step came to: more is there, all is read, the API's keys or entries that are gone from the log are waited for,
 * or another process was faster.
 */
export type IntakeProgress = 'more' | 'idle' | 'waiting' | 'taken';

/**
 * How many entries go into the books with one transaction, of half a second. The sums by account and day are written
 * once for each: with 1,000 that took the database half as much again for each entry.
 */
export const intakeBatchSize = 2_000;

// How often entries that were refused for an unknown key are looked at again, and how many of them in one step.
const lookAgainMs = 30_000;
const lookAgainSize = 20;

interface Batch {
  readonly from: FeedCursor;
  readonly to: FeedCursor;
  readonly rows: readonly CheckedRow[];
}

/**
 * From the log into the books. The copy of the entries, their charges, their journals and the cursor move in one
 * transaction: after a crash it goes on exactly where it stopped, and what was booked is never booked again.
 */
@Injectable()
export class IntakeJob {
  readonly #logger = new Logger('Intake');
  readonly #serial = new Serial();
  #gapAt: bigint | undefined;
  /** Whether the log was found to be the one that the cursor is of. */
  #isSameLog = false;
  #toldRewound = false;
  #lookedAgainAt = 0;
  /** The place of the last one that was looked at again. */
  #lookedUpTo = '0';

  constructor(
    private readonly sql: SqlPool,
    private readonly intake: IntakeService,
    private readonly entries: EntryStore,
    private readonly rating: RatingService,
    private readonly ledger: LedgerService,
    private readonly metrics: BillingMetrics,
    @Inject(logFeed) private readonly feed: LogFeed,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** Books the next batch. */
  step(): Promise<IntakeProgress> {
    return this.#serial.run(async () => {
      const progress = await this.#step();
      await this.#lookAgain();
      return progress;
    });
  }

  /**
   * Books an entry that was refused as if it had been read now: after all that was read so far. 409 `entry/conflict`
   * where it is still bad, or what follows of its payment is booked already.
   */
  async readmit(tx: Sql, id: string, { by, reason }: { by: string; reason: string }): Promise<RefusedEntry> {
    await awaitIntake(tx);
    await awaitBooks(tx);
    const found = await this.entries.findRefused(tx, id);
    if (found === undefined) throw new Problem('entry/not-found', 'No refused entry has this id.');
    const checked = await this.intake.checkAgain(found.row);
    const { place: after } = await this.intake.cursor(tx);
    const book = async (): Promise<void> =>
      this.#bookRows(tx, [checked], async ([row]) => {
        if (row === undefined || row.entry === null) throw conflict(row?.detail);
        if (await this.entries.isOvertaken(tx, paymentOf(row.entry))) {
          throw conflict('What the log tells later of its payment is in the books.');
        }
        await this.entries.readmit(tx, row, { by, reason, after });
      });
    try {
      await changeProven(tx, BigInt(found.row.place), book);
    } catch (error) {
      if (isRefusedData(error)) throw conflict(`The books cannot hold what it says (SQLSTATE ${errorCode(error)}).`);
      throw error;
    }
    return found;
  }

  /** Readmits entries whose key was published after they were refused for it. */
  async #lookAgain(): Promise<void> {
    const at = this.now().getTime();
    if (at - this.#lookedAgainAt < lookAgainMs) return;
    this.#lookedAgainAt = at;
    if (!(await this.entries.wantsKeys(this.sql))) return;
    await this.intake.refreshKeys();
    const found = await this.entries.refused(this.sql, {
      after: this.#lookedUpTo,
      limit: lookAgainSize,
      keyKnown: true,
    });
    for (const { row } of found) await this.#readmitLate(row.id);
    const isFull = found.length === lookAgainSize;
    this.#lookedUpTo = isFull ? (found.at(-1)?.row.place ?? '0') : '0';
    // The next step goes on with the rest.
    if (isFull) this.#lookedAgainAt = 0;
  }

  async #readmitLate(id: string): Promise<void> {
    try {
      const why = { by: 'system', reason: 'The key that signed it has appeared.' };
      await this.sql.transaction((tx) => this.readmit(tx, id, why));
      this.#logger.log(`entry ${id} is readmitted: the key that signed it has appeared`);
    } catch (error) {
      if (!isProblem(error)) throw error;
    }
  }

  /** Books until every entry is in that was committed before the moment. Whether it came so far in time. */
  async catchUp(moment: LogMoment, timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const progress = await this.step();
      if (await this.intake.isComplete(this.sql, moment)) return true;
      if (performance.now() >= deadlineMs) return false;
      // The log has no places yet for its newest entries, or a key is not published yet.
      if (progress !== 'more') await pause(50);
    }
  }

  async #step(): Promise<IntakeProgress> {
    const from = await this.intake.cursor(this.sql);
    const since = this.now();
    const read = await this.feed(from.place, intakeBatchSize);
    if (!this.#isSameLog || read.head.place < from.place) this.#isSameLog = await this.#isLogOf(from.place, read);
    if (!this.#isSameLog) return 'waiting';
    const gap = findGap(from.place, read);
    const batch = gap === null ? read : upTo(gap, read);
    const checked = await this.intake.check(batch.rows);
    const to = moveCursor(from, { batch, checked, since });
    if (!(await this.#bookAll({ from, to, rows: checked.rows }))) return 'taken';
    for (const { entry } of checked.rows) this.metrics.entries.inc({ outcome: entry === null ? 'bad' : 'good' });
    if (checked.waiting) return 'waiting';
    if (gap !== null) {
      this.#tell(gap);
      return 'waiting';
    }
    return batch.rows.length === intakeBatchSize ? 'more' : 'idle';
  }

  /**
   * Whether the log still has the entry that was read last. An API whose database went back to an earlier moment gives
   * the places after it anew: entries up to the cursor would never be read, and the books would be called complete. A
   * last entry that was retired with its month says nothing.
   */
  async #isLogOf(place: bigint, { head }: FeedBatch): Promise<boolean> {
    const [last] = place === 0n || head.place < place ? [] : (await this.feed(place - 1n, 1)).rows;
    const isSame = last === undefined ? head.place >= place : await this.#wasRead(place, last);
    if (!isSame && !this.#toldRewound) {
      this.#logger.error(
        `the log went back to an earlier moment than place ${place}, which was read; nothing of it is booked: see the runbook restore`,
      );
    }
    this.#toldRewound = !isSame;
    return isSame;
  }

  async #wasRead(place: bigint, last: FeedRow): Promise<boolean> {
    return BigInt(last.place) !== place || (await this.entries.idAt(this.sql, place)) === last.id;
  }

  /** Once for each gap, not with every look at it. */
  #tell({ first, last }: FeedGap): void {
    if (this.#gapAt === first) return;
    this.#gapAt = first;
    this.#logger.error(
      `the entries at the places ${first} to ${last} are gone from the log; nothing behind them is booked: see the runbook the-log-grows`,
    );
  }

  /**
   * Books the batch in one transaction. When the database refuses what is in it, the batch is halved until the row is
   * alone, and that row is kept as a bad one: no row can stop those behind it, whatever is wrong with it.
   */
  async #bookAll(batch: Batch): Promise<boolean> {
    try {
      return await this.sql.transaction((tx) => this.#book(tx, batch));
    } catch (error) {
      const [row, ...others] = batch.rows;
      if (!isRefusedData(error) || row === undefined) throw error;
      if (others.length > 0) return this.#bookHalves(batch);
      if (row.entry === null) throw error;
      const detail = `The books cannot hold what it says (SQLSTATE ${errorCode(error) ?? 'unknown'}).`;
      this.#logger.error(`entry ${row.row.id} is kept as a bad one: ${String(error)}`);
      return this.sql.transaction((tx) => this.#book(tx, { ...batch, rows: [refuse(row, 'receipt-invalid', detail)] }));
    }
  }

  async #bookHalves({ from, to, rows }: Batch): Promise<boolean> {
    const half = rows.length >> 1;
    const between = { ...from, place: BigInt(rows[half - 1]?.row.place ?? from.place) };
    return (
      (await this.#bookAll({ from, to: between, rows: rows.slice(0, half) })) &&
      (await this.#bookAll({ from: between, to, rows: rows.slice(half) }))
    );
  }

  /** False when another process has the turn, or has moved the cursor since it was read. */
  async #book(tx: Sql, { from, to, rows }: Batch): Promise<boolean> {
    if (!(await tryTurn(tx, turns.intake))) return false;
    await awaitBooks(tx);
    const current = await this.intake.cursor(tx, { lock: true });
    if (current.place !== from.place || current.logAsOf !== from.logAsOf) return false;
    if (rows.length > 0) await this.#bookRows(tx, rows);
    await this.intake.advance(tx, to);
    return true;
  }

  async #bookRows(
    tx: Sql,
    rows: readonly CheckedRow[],
    keep = async (checked: readonly CheckedRow[]): Promise<void> => this.entries.store(tx, checked),
  ): Promise<void> {
    const known = await this.entries.known(
      tx,
      rows.map(({ row }) => row.id),
    );
    const unique = refuseRepeated(rows, known);
    const rated = await this.rating.rate(tx, goodOf(unique));
    const payments = goodOf(unique).flatMap(paymentOf);
    const followed = followPayments(payments, await readLives(tx, payments));
    const checked = unique.map((found) => refuseUnrated(found, rated.unrated)).map(refuseStray(followed.strays));
    await keep(checked);
    await this.rating.store(tx, rated);
    const good = goodOf(checked);
    const receipts = new Map(
      good.flatMap((entry) =>
        entry.kind === 'call' && entry.receipt.rail === 'x402' ? [[entry.id, entry.receipt] as const] : [],
      ),
    );
    const calls = rated.charges.flatMap((charge) => {
      const { network = null, settlement } = receipts.get(charge.entryId) ?? {};
      return journalsOfCall({ ...charge, network, deferred: settlement === 'deferred' });
    });
    const refunds = payments.filter(({ outcome }) => outcome === 'refund-due');
    await this.ledger.post(tx, [
      ...calls,
      ...refunds.flatMap((refund) => journalsOfRefund({ ...refund, asset: codeOf(refund) })),
      ...followed.turns.flatMap(journalsOfTurn),
    ]);
    // Transfers that came before the entries that say what they pay.
    if (payments.length === 0) return;
    const lives = await readLives(tx, payments);
    const standing = await standingOf(tx, [...payments, ...(await refundKeys(tx, refunds))]);
    const reclaimed = await findReclaimed(tx, standing, claimsOf(lives));
    await this.ledger.post(tx, reclaimed.map(identificationOf));
    await matchLives(tx, payments, { lives, now: this.now() });
    await matchRefunds(tx, standing, this.now());
  }
}

function conflict(detail: string | null | undefined): Problem {
  return new Problem('entry/conflict', detail ?? 'The entry cannot be booked.');
}

/** Data that a column, a constraint or an index cannot hold: SQLSTATE classes 22, 23 and 54. */
function isRefusedData(error: unknown): boolean {
  return /^(22|23|54)[0-9A-Z]{3}$/.test(errorCode(error) ?? '');
}

function goodOf(rows: readonly CheckedRow[]): readonly GoodEntry[] {
  return rows.flatMap(({ entry }) => entry ?? []);
}

/** What may be booked: what comes before the gap. What is behind it would be rated as if nothing were missing. */
function upTo(gap: FeedGap, batch: FeedBatch): FeedBatch {
  return { ...batch, rows: batch.rows.filter(({ place }) => BigInt(place) < gap.first) };
}

/** Where the cursor goes, and what is complete when it is there. */
function moveCursor(
  from: FeedCursor,
  { batch, checked, since }: { batch: FeedBatch; checked: CheckedRows; since: Date },
): FeedCursor {
  const { head, askedAt } = batch;
  const place = BigInt(checked.rows.at(-1)?.row.place ?? from.place);
  const logAsOf = place >= head.place && head.asOf > from.logAsOf ? head.asOf : from.logAsOf;
  const awaited = from.awaited ?? { asOf: askedAt, since };
  const complete = logAsOf >= awaited.asOf;
  return {
    place,
    logAsOf,
    completeAsOf: complete ? awaited.since : from.completeAsOf,
    awaited: complete ? null : awaited,
  };
}

/** An id stands for one entry: a second one under it would book the call twice. */
function refuseRepeated(rows: readonly CheckedRow[], known: ReadonlySet<string>): readonly CheckedRow[] {
  const seen = new Set(known);
  return rows.map((found) => {
    if (found.entry === null) return found;
    if (seen.has(found.entry.id)) return refuse(found, 'receipt-invalid', 'An entry with this id was read before.');
    seen.add(found.entry.id);
    return found;
  });
}

function refuseUnrated(found: CheckedRow, unrated: Rated['unrated']): CheckedRow {
  const reason = found.entry === null ? undefined : unrated.get(found.entry.id);
  return reason === undefined ? found : refuse(found, reason.fault, reason.detail);
}

/** An entry that names another which it cannot be of would book a payment twice, or one that is not known. */
function refuseStray(strays: ReadonlyMap<string, string>): (found: CheckedRow) => CheckedRow {
  return (found) => {
    const reason = found.entry === null ? undefined : strays.get(found.entry.id);
    return reason === undefined ? found : refuse(found, 'call-mismatch', reason);
  };
}

function refuse({ row }: CheckedRow, fault: NonNullable<CheckedRow['fault']>, detail: string): CheckedRow {
  return { row, entry: null, fault, detail };
}
