import type { Jwks } from '@keyfare/core/receipt';
import type { Clock } from '@keyfare/core/time';
import type { Sql } from '@keyfare/db/sql';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { SignaturePool, type SignatureQuestion } from '../signature-pool.js';
import { clock } from '../tokens.js';
import { verifyEd25519 } from '../verify-ed25519.js';
import { checkRow, type Verdict } from './check-row.js';
import type { CheckedRow } from './entry-store.js';
import type { FeedRow } from './feed.js';
import { KeyStore } from './key.service.js';

/** Rows that are checked, up to the first that cannot be checked yet. */
export interface CheckedRows {
  readonly rows: readonly CheckedRow[];
  /** The API's keys must be read (again) before the rest can be checked. */
  readonly waiting: boolean;
}

/** One moment by two clocks, which need not agree. */
export interface LogMoment {
  /** By the clock of the API's database, in microseconds; not earlier than `since`. */
  readonly asOf: bigint;
  /** By the clock of the books. */
  readonly since: Date;
}

/** How far the feed was read, and what is known to be complete. */
export interface FeedCursor {
  /** The place of the entry that was read last. */
  readonly place: bigint;
  /** Every entry that was committed by then is in, by the clock of the API's database, in microseconds. */
  readonly logAsOf: bigint;
  /** The same by the clock of the books. */
  readonly completeAsOf: Date | null;
  /** When `logAsOf` has reached this moment, the books are complete as of it. */
  readonly awaited: LogMoment | null;
}

interface CursorRow {
  readonly place: string;
  readonly log_as_of: string;
  readonly complete_as_of: Date | null;
  readonly awaited_as_of: string | null;
  readonly awaited_since: Date | null;
}

const feed = 'api';
const start: FeedCursor = { place: 0n, logAsOf: 0n, completeAsOf: null, awaited: null };
/** Verification is work without a pause; after so many rows others get their turn of the event loop. */
const rowsInOneGo = 50;

/** A row as it is if its signature is good: null where it has none to check, or is a bad one whatever it says. */
interface UnsignedRow {
  readonly checked: CheckedRow;
  readonly question: SignatureQuestion | null;
}

/** Reads the log: where it stopped, and whether what comes next is genuine. */
@Injectable()
export class IntakeService {
  readonly #logger = new Logger('Intake');
  #waitingFor: { readonly id: string; readonly since: Date } | undefined;

  constructor(
    private readonly config: BillingConfig,
    private readonly keys: KeyStore,
    private readonly signatures: SignaturePool,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** The cursor; with `lock`, nobody else can move it before the transaction ends. */
  async cursor(sql: Sql, { lock = false }: { lock?: boolean } = {}): Promise<FeedCursor> {
    const [row] = await sql.query<CursorRow>({
      text: `select place, log_as_of, complete_as_of, awaited_as_of, awaited_since
        from billing.feed_cursor where feed = $1 ${lock ? 'for update' : ''}`,
      values: [feed],
    });
    if (row === undefined) return start;
    const { complete_as_of: completeAsOf, awaited_as_of: asOf, awaited_since: since } = row;
    return {
      place: BigInt(row.place),
      logAsOf: BigInt(row.log_as_of),
      completeAsOf,
      awaited: asOf === null || since === null ? null : { asOf: BigInt(asOf), since },
    };
  }

  /**
   * Checks rows: all but their signatures one after the other, and these together in other threads. Needs the network
   * when a key is new; so never call it in a transaction.
   */
  async check(rows: readonly FeedRow[]): Promise<CheckedRows> {
    const checked: UnsignedRow[] = [];
    for (const [index, row] of rows.entries()) {
      if (index % rowsInOneGo === rowsInOneGo - 1) await new Promise((next) => setImmediate(next));
      const found = await this.#check(row);
      if (found === null) break;
      checked.push(found);
    }
    return { rows: await this.#signed(checked), waiting: checked.length < rows.length };
  }

  /** The rows with the verdict that they have by their signatures. */
  async #signed(rows: readonly UnsignedRow[]): Promise<readonly CheckedRow[]> {
    const questions = rows.flatMap(({ question }) => question ?? []);
    const answers = new Map((await this.signatures.verify(questions)).map((answer, nth) => [questions[nth], answer]));
    const keys = await this.keys.known();
    return rows.map(({ checked, question }) => {
      if (question === null || answers.get(question) === true) return checked;
      return checkedOf(checked.row, checkRow(checked.row, { keys, verifyEd25519: () => false }));
    });
  }

  /** Looks for keys of the API that are new. Needs the network; so never call it in a transaction. */
  async refreshKeys(): Promise<void> {
    await this.keys.refresh();
  }

  /** Checks a row that was refused before, with the keys that are known by now. */
  async checkAgain(row: FeedRow): Promise<CheckedRow> {
    return checkedOf(row, checkRow(row, { keys: await this.keys.known(), verifyEd25519: verifyEd25519 }));
  }

  /** Moves the cursor, within the transaction that stores what was read. */
  async advance(tx: Sql, cursor: FeedCursor): Promise<void> {
    await tx.query({
      name: 'billing_advance_feed',
      text: `insert into billing.feed_cursor (feed, place, log_as_of, complete_as_of, awaited_as_of, awaited_since)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (feed) do update set place = excluded.place, log_as_of = excluded.log_as_of,
          complete_as_of = greatest(feed_cursor.complete_as_of, excluded.complete_as_of),
          awaited_as_of = excluded.awaited_as_of, awaited_since = excluded.awaited_since`,
      values: [
        feed,
        cursor.place.toString(),
        cursor.logAsOf.toString(),
        cursor.completeAsOf,
        cursor.awaited?.asOf.toString() ?? null,
        cursor.awaited?.since ?? null,
      ],
    });
  }

  /** Whether every entry that was committed before the moment is in; then the cursor says so too. */
  async isComplete(sql: Sql, { asOf, since }: LogMoment): Promise<boolean> {
    const rows = await sql.query({
      text: `update billing.feed_cursor set complete_as_of = greatest(complete_as_of, $3::timestamptz)
        where feed = $1 and log_as_of >= $2 returning feed`,
      values: [feed, asOf.toString(), since],
    });
    return rows.length > 0;
  }

  /** Null when the answer must wait for the API's keys. */
  async #check(row: FeedRow): Promise<UnsignedRow | null> {
    let found = unsignedVerdict(row, await this.keys.known());
    if (found.verdict.outcome === 'unknown-key') {
      await this.keys.refresh();
      found = unsignedVerdict(row, await this.keys.known());
    }
    const { verdict, question } = found;
    if (verdict.outcome === 'unknown-key' && !this.#isKeyMissing(row)) return null;
    return { checked: checkedOf(row, verdict), question };
  }

  /**
   * A key is missing when a key set that was read well after the entry was written lacks it. A replica of the API may
   * show a key set that is some time old, and an entry that is given up for bad is never billed: so this takes its
   * time.
   */
  #isKeyMissing(row: FeedRow): boolean {
    if (this.#waitingFor?.id !== row.id) {
      this.#logger.warn(`entry ${row.id} is signed by a key that the API does not show; the log waits for it`);
      this.#waitingFor = { id: row.id, since: this.now() };
    }
    const { fetchedAt } = this.keys;
    // An entry may be dated in the future; it waits no longer for that.
    const since = Math.min(Number(row.recorded_at), this.#waitingFor.since.getTime());
    return fetchedAt !== undefined && fetchedAt.getTime() >= since + this.config.receiptKeyGraceMs;
  }
}

/** The verdict of a row whose signature is taken for good, and what there is to ask of it. */
function unsignedVerdict(row: FeedRow, keys: Jwks): { verdict: Verdict; question: SignatureQuestion | null } {
  let question: SignatureQuestion | null = null;
  const verdict = checkRow(row, {
    keys,
    verifyEd25519: (signature, message, key) => {
      question = { signature, message, key };
      return true;
    },
  });
  return { verdict, question };
}

function checkedOf(row: FeedRow, verdict: Verdict): CheckedRow {
  if (verdict.outcome === 'good') return { row, entry: verdict.entry, fault: null, detail: null };
  const fault = verdict.outcome === 'bad' ? verdict.fault : 'receipt-invalid';
  return { row, entry: null, fault, detail: verdict.detail };
}
