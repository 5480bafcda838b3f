import { GroupCommit } from '@keyfare/db/group-commit';
import { notify } from '@keyfare/db/notify';
import { asProblem, errorCode, type SqlPool } from '@keyfare/db/sql';
import { fencedState, type ReplicaId } from '../replica-id.js';
import type { Bucket } from './bucket.js';
import { settleLeases } from './settle.sql.js';

/** Over this a block gains nothing: one statement in a thousand calls is no cost. */
const largestBlock = 1_024n;
const exhaustedForMs = 1_000;
const contendedForMs = 200;
const recallPausesMs = [40, 120];

/** What a statement asks of one lease: units for those in line, a fold, or a fold that gives back what is idle. */
type Wish = 'ask' | 'fold' | 'return';

interface Settling {
  readonly bucket: Bucket;
  readonly wish: Wish;
}

interface SettledRow {
  account_id: string | null;
  period_start: Date;
  units: string;
  unused: string;
  others_hold: boolean;
}

/** What the database answered of one lease. */
interface Settled {
  readonly units: bigint;
  readonly othersHold: boolean;
}

/** What a statement says of one lease, as it was when the statement was made. */
interface Said {
  readonly bucket: Bucket;
  readonly turn: bigint;
  readonly used: bigint;
  readonly post: bigint;
  readonly keep: bigint;
  readonly beyond: bigint;
  readonly wanted: bigint;
  readonly open: boolean;
}

/**
 * What goes to and fro between buckets and the database: many leases in one statement, and for one bucket one statement
 * at a time.
 */
export class Leases {
  readonly #asks: GroupCommit<Settling, Settled>;
  readonly #folds: GroupCommit<Settling, Settled>;
  #turn = 0n;

  constructor(
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
  ) {
    const write = (items: readonly Settling[]): Promise<readonly Settled[]> => this.#settle(items);
    // Callers wait for what is asked: it does not queue behind the folds of idle leases.
    this.#asks = new GroupCommit({ write, waitsInDoubt: false, maxItems: 100 });
    this.#folds = new GroupCommit({ write, waitsInDoubt: false });
  }

  /** Sees to it that those in line get units or a refusal. */
  serve(bucket: Bucket): void {
    bucket.asking ??= this.#ask(bucket);
  }

  /** Counts what was posted, unless that is under way. Rejects when the database does not say that it is done. */
  async fold(bucket: Bucket): Promise<void> {
    await this.#fold(bucket, 'fold');
  }

  /**
   * As `fold`, and gives back all that no call holds, unless units are asked for again and again. What is under way has
   * told the database already what is kept: a return that joined it would give nothing back, and who waits for these
   * units would be refused.
   */
  async giveBack(bucket: Bucket): Promise<void> {
    await bucket.asking;
    await bucket.folding?.catch(() => undefined);
    await this.#fold(bucket, 'return');
  }

  async close(): Promise<void> {
    await Promise.all([this.#asks.close(), this.#folds.close()]);
  }

  async #fold(bucket: Bucket, wish: Wish): Promise<void> {
    if (bucket.asking !== undefined) {
      await bucket.asking;
      return;
    }
    bucket.folding ??= this.#folds
      .commit({ bucket, wish })
      .then(() => undefined)
      .finally(() => {
        bucket.folding = undefined;
      });
    await bucket.folding;
  }

  /**
   * Leases until the line is served. When only others hold units, they are asked to give back before anyone is denied.
   */
  async #ask(bucket: Bucket): Promise<void> {
    try {
      // A fold that is under way says what was kept before the line came to be. Its failure is the next statement's.
      await bucket.folding?.catch(() => undefined);
      for (let recalls = 0; bucket.hasLine; ) {
        const { units, othersHold } = await this.#asks.commit({ bucket, wish: 'ask' });
        bucket.add(units);
        bucket.denyExhausted();
        bucket.unusedUntilMs = performance.now() + exhaustedForMs;
        if (units > 0n || !bucket.hasLine) continue;
        const pauseMs = othersHold ? recallPausesMs[recalls] : undefined;
        if (pauseMs === undefined) {
          this.#deny(bucket);
          return;
        }
        recalls += 1;
        await notify(this.sql, 'keyfare_recall', bucket.accountId);
        await new Promise((wake) => setTimeout(wake, pauseMs));
      }
    } catch (error) {
      bucket.fail(asProblem(error));
    } finally {
      // In the same turn as the last look at the line: whoever comes to it later begins a new request.
      bucket.asking = undefined;
    }
  }

  /** Units that others hold may come back soon, so that refusal is remembered for a short time only. */
  #deny(bucket: Bucket): void {
    bucket.deniedUntilMs = performance.now() + contendedForMs;
    bucket.deny();
  }

  async #settle(items: readonly Settling[]): Promise<readonly Settled[]> {
    // Calls whose group of posts has just been answered end their holds within this turn: a fold counts whole groups.
    await new Promise((turn) => setImmediate(turn));
    const writer = this.replica.id;
    // A bucket of a name that was swept is not settled under another: the sweep has counted it.
    if (items.some(({ bucket }) => bucket.writer !== writer)) throw new FencedLease();
    const said = items.map((item) => this.#say(item));
    try {
      const rows = await this.sql.query<SettledRow>({
        name: 'keyfare_settle_leases',
        text: settleLeases,
        values: [writer, ...columns(said), largestBlock.toString()],
      });
      const answers = new Map(rows.map((row) => [`${row.account_id} ${row.period_start?.getTime()}`, row]));
      return said.map((line) => this.#hear(line, answers.get(keyOf(line.bucket))));
    } catch (error) {
      for (const { bucket } of said) bucket.isDoubtful = true;
      if (errorCode(error) === fencedState) await this.replica.fenced(writer).catch(() => undefined);
      throw error;
    }
  }

  #say({ bucket, wish }: Settling): Said {
    if (wish === 'return') bucket.drain();
    const open = wish === 'ask' || !bucket.isIdle || bucket.free > 0n;
    // From here on nothing is admitted until a lease is open again, so nothing is posted that no lease counts.
    if (!open) bucket.isOpen = false;
    bucket.isStored = true;
    this.#turn += 1n;
    return {
      bucket,
      turn: this.#turn,
      used: bucket.used,
      post: bucket.post,
      keep: bucket.free + bucket.held,
      beyond: bucket.usedBeyond,
      wanted: wish === 'ask' ? bucket.wanted : 0n,
      open,
    };
  }

  #hear({ bucket, used, beyond, open }: Said, row: SettledRow | undefined): Settled {
    if (row === undefined) throw new Error('the allowance of a lease is gone');
    bucket.folded = used;
    bucket.usedBeyond -= beyond;
    bucket.isDoubtful = false;
    bucket.isOpen = open;
    if (!open) bucket.closedAtMs = performance.now();
    bucket.unused = BigInt(row.unused);
    return { units: BigInt(row.units), othersHold: row.others_hold };
  }
}

/** The lease belongs to a name of this process that was swept. */
class FencedLease extends Error {
  override readonly name = 'FencedLease';
  readonly code = fencedState;

  constructor() {
    super('the lease was swept');
  }
}

/** What names a bucket among those of one process. */
export function keyOf({ accountId, periodStart }: { accountId: string; periodStart: Date }): string {
  return `${accountId} ${periodStart.getTime()}`;
}

function columns(said: readonly Said[]): readonly unknown[][] {
  return [
    said.map(({ bucket }) => bucket.accountId),
    said.map(({ bucket }) => bucket.periodStart.toISOString()),
    said.map(({ turn }) => turn.toString()),
    said.map(({ used }) => used.toString()),
    said.map(({ post }) => post.toString()),
    said.map(({ keep }) => keep.toString()),
    said.map(({ beyond }) => beyond.toString()),
    said.map(({ wanted }) => wanted.toString()),
    said.map(({ open }) => open),
  ];
}
