import { GroupCommit } from '@keyfare/db/group-commit';
import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';

import { GateMetrics } from '../metrics.js';
import { fencedState } from '../replica-id.js';
import { keyCallRows, paidCallRows, postKeyCalls, postPaidCalls, postUnpaidCalls, unpaidCallRows } from './post.sql.js';
import type { KeyCallPost, PaidCallPost, UnpaidCallPost } from './post-item.js';

/** Writes calls into the books, many in one transaction. A call's response leaves when its post is durable. */
@Injectable()
export class PostOffice {
  readonly #keyCalls: GroupCommit<KeyCallPost, bigint>;
  readonly #paidCalls: GroupCommit<PaidCallPost, boolean>;
  readonly #unpaidCalls: GroupCommit<UnpaidCallPost, boolean>;
  /** The number of the newest group of key calls whose outcome is known. */
  #post = 0n;

  constructor(
    private readonly sql: SqlPool,
    metrics: GateMetrics,
  ) {
    const onWritten = (items: number): void => metrics.groupSize.observe(items);
    this.#keyCalls = new GroupCommit({ write: (items) => this.#writeKeyCalls(items), onWritten });
    this.#paidCalls = new GroupCommit({ write: (items) => this.#writePaidCalls(items), onWritten });
    this.#unpaidCalls = new GroupCommit({ write: (items) => this.#writeUnpaidCalls(items) });
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

  /** Whether the outcome of a transaction is unknown at the moment. */
  get inDoubt(): boolean {
    return this.#keyCalls.inDoubt || this.#paidCalls.inDoubt;
  }

  /** The process is about to end: nobody waits for long any more to learn of an outcome. */
  limitDoubt(): void {
    for (const group of [this.#keyCalls, this.#paidCalls, this.#unpaidCalls]) group.limitDoubt();
  }

  async close(): Promise<void> {
    await Promise.all([this.#keyCalls.close(), this.#paidCalls.close(), this.#unpaidCalls.close()]);
  }

  async #writeKeyCalls(items: readonly KeyCallPost[]): Promise<readonly bigint[]> {
    const [first] = items;
    if (items.some(({ writer }) => writer !== first?.writer)) throw new MixedWriters();
    const post = this.#post + 1n;
    await this.sql.query({
      name: 'keyfare_post_key_calls',
      text: postKeyCalls,
      values: [...keyCallRows.values(items), first?.writer, post.toString()],
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

/** Splits a group: its calls were held under two names of this process, and one statement is fenced by one. */
class MixedWriters extends Error {
  override readonly name = 'MixedWriters';
  readonly code = fencedState;
}
