import { GroupCommit, type GroupCommitSettings } from '@keyfare/db/group-commit';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { bytesInOneStatement } from '../answer/keep.sql.js';
import { GateMetrics } from '../metrics.js';
import { fencedState, ReplicaId } from '../replica-id.js';
import { Tracing } from '../tracing.js';
import { freeCallRows, postFreeCalls } from './free-posts.sql.js';
import {
  keyCallValues,
  paidCallRows,
  postKeyCalls,
  postPaidCalls,
  postUnpaidCalls,
  unpaidCallRows,
} from './post.sql.js';
import type { FreeCallPost, KeyCallPost, PaidCallPost, ServedCallPost, UnpaidCallPost } from './post-item.js';
import { postDeferredCalls, postUpfrontCalls, servedCallRows } from './served.sql.js';

/** Writes calls into the books, many in one transaction. A call's response leaves when its post is durable. */
@Injectable()
export class PostOffice {
  readonly #keyCalls: GroupCommit<KeyCallPost, bigint>;
  readonly #paidCalls: GroupCommit<PaidCallPost, boolean>;
  readonly #unpaidCalls: GroupCommit<UnpaidCallPost, boolean>;
  readonly #deferredCalls: GroupCommit<ServedCallPost, boolean>;
  readonly #upfrontCalls: GroupCommit<ServedCallPost, boolean>;
  readonly #freeCalls: GroupCommit<FreeCallPost, boolean>;
  /** The number of the newest group of key calls whose outcome is known. */
  #post = 0n;

  constructor(
    private readonly sql: SqlPool,
    private readonly replica: ReplicaId,
    private readonly metrics: GateMetrics,
    private readonly tracing: Tracing,
  ) {
    const withAnswers = {
      weigh: ({ answer }: ServedCallPost) => answer?.body.length ?? 0,
      maxWeight: bytesInOneStatement,
    };
    this.#keyCalls = this.#group('key', (items) => this.#writeKeyCalls(items));
    this.#paidCalls = this.#group('paid', (items) => this.#writePaidCalls(items));
    this.#unpaidCalls = this.#group('unpaid', (items) => this.#writeUnpaidCalls(items));
    this.#deferredCalls = this.#group('deferred', (items) => this.#writeDeferredCalls(items), withAnswers);
    this.#upfrontCalls = this.#group('upfront', (items) => this.#writeUpfrontCalls(items), withAnswers);
    this.#freeCalls = this.#group('free', (items) => this.#writeFreeCalls(items));
  }

  /** How many posts of each kind wait for a transaction. */
  get waiting(): Readonly<Record<string, number>> {
    return {
      key: this.#keyCalls.waiting,
      paid: this.#paidCalls.waiting,
      unpaid: this.#unpaidCalls.waiting,
      deferred: this.#deferredCalls.waiting,
      upfront: this.#upfrontCalls.waiting,
      free: this.#freeCalls.waiting,
    };
  }

  /**
   * Resolves to the number of the group that the call was posted in. Rejects with SQLSTATE KF001 when peers took this
   * process for dead and swept the lease behind the hold.
   */
  postKeyCall(call: KeyCallPost): Promise<bigint> {
    return this.#keyCalls.commit(call);
  }

  /** Whether this post ended the payment; false when another process had done so. */
  postPaidCall(call: PaidCallPost): Promise<boolean> {
    return this.#paidCalls.commit(call);
  }

  postUnpaidCall(call: UnpaidCallPost): Promise<boolean> {
    return this.#unpaidCalls.commit(call);
  }

  /** Whether this post served the call; false when it had been, or when its claim was taken from this process. */
  postDeferredCall(call: ServedCallPost): Promise<boolean> {
    return this.#deferredCalls.commit(call);
  }

  /** Whether this post served the call; false when it had been, or when a refund is due. */
  postUpfrontCall(call: ServedCallPost): Promise<boolean> {
    return this.#upfrontCalls.commit(call);
  }

  /** Whether this post counted the call; false when it had been, or when its hold was given back. */
  postFreeCall(call: FreeCallPost): Promise<boolean> {
    return this.#freeCalls.commit(call);
  }

  /** Whether the outcome of a transaction is unknown at the moment. */
  get inDoubt(): boolean {
    return this.#keyCalls.inDoubt || this.#paidCalls.inDoubt;
  }

  /** The process is about to end: nobody waits for long any more to learn of an outcome. */
  limitDoubt(): void {
    for (const group of this.#groups) group.limitDoubt();
  }

  async close(): Promise<void> {
    await Promise.all(this.#groups.map((group) => group.close()));
  }

  get #groups() {
    return [
      this.#keyCalls,
      this.#paidCalls,
      this.#unpaidCalls,
      this.#deferredCalls,
      this.#upfrontCalls,
      this.#freeCalls,
    ];
  }

  /** The statement of a group is traced as the first call's: one span cannot have many parents. */
  #group<Item extends { readonly id: string }, Result>(
    name: string,
    write: (items: readonly Item[]) => Promise<readonly Result[]>,
    settings: Pick<GroupCommitSettings<Item, Result>, 'weigh' | 'maxWeight'> = {},
  ): GroupCommit<Item, Result> {
    const wait = this.metrics.groupWait.series(name);
    return new GroupCommit({
      ...settings,
      write: (items) => this.tracing.runFor(items[0]?.id, () => write(items)),
      onWritten: (items, waitedMs) => {
        this.metrics.groupSize.observe(items);
        wait.observe(waitedMs / 1_000);
      },
    });
  }

  async #writeDeferredCalls(items: readonly ServedCallPost[]): Promise<readonly boolean[]> {
    const moved = await this.sql.query<{ id: string }>({
      name: 'keyfare_post_deferred_calls',
      text: postDeferredCalls,
      values: [...servedCallRows.values(items), this.replica.id],
    });
    return membership(items, moved);
  }

  async #writeUpfrontCalls(items: readonly ServedCallPost[]): Promise<readonly boolean[]> {
    const moved = await this.sql.query<{ id: string }>({
      name: 'keyfare_post_upfront_calls',
      text: postUpfrontCalls,
      values: servedCallRows.values(items),
    });
    return membership(items, moved);
  }

  async #writeKeyCalls(items: readonly KeyCallPost[]): Promise<readonly bigint[]> {
    const [first] = items;
    if (first === undefined) return [];
    const { kid, writer } = first;
    if (items.some((item) => item.writer !== writer || item.kid !== kid)) throw new MixedWriters();
    const post = this.#post + 1n;
    await this.sql.query({
      name: 'keyfare_post_key_calls',
      text: postKeyCalls,
      values: keyCallValues(items, { kid, writer, post }),
    });
    this.#post = post;
    return items.map(() => post);
  }

  async #writePaidCalls(items: readonly PaidCallPost[]): Promise<readonly boolean[]> {
    const moved = await this.sql.query<{ id: string }>({
      name: 'keyfare_post_paid_calls',
      text: postPaidCalls,
      values: paidCallRows.values(items),
    });
    return membership(items, moved);
  }

  async #writeFreeCalls(items: readonly FreeCallPost[]): Promise<readonly boolean[]> {
    const moved = await this.sql.query<{ id: string }>({
      name: 'keyfare_post_free_calls',
      text: postFreeCalls,
      values: freeCallRows.values(items),
    });
    return membership(items, moved);
  }

  async #writeUnpaidCalls(items: readonly UnpaidCallPost[]): Promise<readonly boolean[]> {
    const moved = await this.sql.query<{ id: string }>({
      name: 'keyfare_post_unpaid_calls',
      text: postUnpaidCalls,
      values: unpaidCallRows.values(items),
    });
    return membership(items, moved);
  }
}

function membership(items: readonly { id: string }[], moved: readonly { id: string }[]): readonly boolean[] {
  const ids = new Set(moved.map(({ id }) => id));
  return items.map(({ id }) => ids.has(id));
}

/** Splits a group whose calls were held under two names of this process or signed by two keys: a statement has one. */
class MixedWriters extends Error {
  override readonly name = 'MixedWriters';
  readonly code = fencedState;
}
