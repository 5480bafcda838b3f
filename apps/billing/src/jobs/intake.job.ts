import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '@keyfare/core/time';
import { type Sql, SqlPool } from '@keyfare/db/sql';
import { Inject, Injectable } from '@nestjs/common';
import { type CheckedRow, EntryStore } from '../intake/entry-store.js';
import type { FeedBatch, LogFeed } from '../intake/feed.js';
import { type CheckedRows, type FeedCursor, IntakeService } from '../intake/intake.service.js';
import { identificationOf, journalsOfCall } from '../ledger/flows.js';
import { LedgerService } from '../ledger/ledger.service.js';
import { RatingService } from '../rating/rating.service.js';
import { BillingMetrics } from '../status/metrics.js';
import { clock, logFeed } from '../tokens.js';
import { awaitBooks, tryTurn, turns } from '../turns.js';
import { Serial } from './serial.js';
import { findUnidentified } from './unidentified.sql.js';

/** What a step came to: more is there, all is read, the API's keys are waited for, or another process was faster. */
export type IntakeProgress = 'more' | 'idle' | 'waiting' | 'taken';

/** How many entries go into the books with one transaction. */
export const intakeBatchSize = 500;

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
  readonly #serial = new Serial();

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
    return this.#serial.run(() => this.#step());
  }

  /** Books until every entry of a transaction older than `newest` is in. Whether it came so far in time. */
  async catchUp(newest: bigint, timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const progress = await this.step();
      if ((await this.intake.cursor(this.sql)).horizon >= newest) return true;
      if (performance.now() >= deadlineMs) return false;
      // A transaction of the API is still under way, or a key is not published yet.
      if (progress !== 'more') await pause(50);
    }
  }

  async #step(): Promise<IntakeProgress> {
    const from = await this.intake.cursor(this.sql);
    const since = this.now();
    const batch = await this.feed(from, intakeBatchSize);
    const checked = await this.intake.check(batch.rows);
    const to = moveCursor(from, { batch, checked, since });
    const booked = await this.sql.transaction((tx) => this.#book(tx, { from, to, rows: checked.rows }));
    if (!booked) return 'taken';
    for (const { entry } of checked.rows) this.metrics.entries.inc({ outcome: entry === null ? 'bad' : 'good' });
    if (checked.waiting) return 'waiting';
    return batch.rows.length === intakeBatchSize ? 'more' : 'idle';
  }

  /** False when another process has the turn, or has moved the cursor since it was read. */
  async #book(tx: Sql, { from, to, rows }: Batch): Promise<boolean> {
    if (!(await tryTurn(tx, turns.intake))) return false;
    await awaitBooks(tx);
    const current = await this.intake.cursor(tx, { lock: true });
    const moved = current.tx !== from.tx || current.position !== from.position || current.horizon !== from.horizon;
    if (moved) return false;
    if (rows.length > 0) await this.#bookRows(tx, rows);
    await this.intake.advance(tx, to);
    return true;
  }

  async #bookRows(tx: Sql, rows: readonly CheckedRow[]): Promise<void> {
    const known = await this.entries.known(
      tx,
      rows.map(({ row }) => row.id),
    );
    const unique = refuseRepeated(rows, known);
    const rated = await this.rating.rate(
      tx,
      unique.flatMap(({ entry }) => entry ?? []),
    );
    const checked = unique.map((found) => refuseUnrated(found, rated.unrated));
    await this.entries.store(tx, checked);
    await this.rating.store(tx, rated);
    const paid = checked.flatMap(({ entry }) =>
      entry?.kind === 'call' && entry.receipt.rail === 'x402' ? [entry.receipt] : [],
    );
    const networks = new Map(paid.map(({ id, network }) => [id, network]));
    await this.ledger.post(
      tx,
      rated.charges.flatMap((charge) => journalsOfCall({ ...charge, network: networks.get(charge.entryId) ?? null })),
    );
    // Transfers that came before the entries that explain them.
    if (paid.length > 0) await this.ledger.post(tx, (await findUnidentified(tx, paid)).map(identificationOf));
  }
}

/** Where the cursor goes, and what is complete when it is there. */
function moveCursor(
  from: FeedCursor,
  { batch, checked, since }: { batch: FeedBatch; checked: CheckedRows; since: Date },
): FeedCursor {
  const last = checked.rows.at(-1)?.row;
  const place = last === undefined ? from : { tx: BigInt(last.tx), position: BigInt(last.position) };
  const exhausted = !checked.waiting && batch.rows.length < intakeBatchSize;
  const horizon = exhausted && batch.horizon > from.horizon ? batch.horizon : from.horizon;
  const awaited = from.awaited ?? { tx: batch.newest, since };
  const complete = horizon >= awaited.tx;
  return {
    tx: place.tx,
    position: place.position,
    horizon,
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

function refuseUnrated(found: CheckedRow, unrated: ReadonlyMap<string, string>): CheckedRow {
  const reason = found.entry === null ? undefined : unrated.get(found.entry.id);
  return reason === undefined ? found : refuse(found, 'terms-missing', reason);
}

function refuse({ row }: CheckedRow, fault: NonNullable<CheckedRow['fault']>, detail: string): CheckedRow {
  return { row, entry: null, fault, detail };
}
