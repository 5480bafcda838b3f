import type { Sql, SqlPool } from '../sql.js';

/** Has a task read the snapshot, as soon as a connection is free for it; tasks begin in the order of the calls. */
export type Read = <T>(task: (tx: Sql) => Promise<T>) => Promise<T>;

interface Waiting {
  readonly begin: (tx: Sql) => Promise<void>;
  readonly give: (reason: unknown) => void;
}

const readOnly = { text: 'set transaction isolation level repeatable read, read only' };
// One waits while the other reads: a limit that an administrator has set for what hangs would end it.
const mayWait = { text: 'set local idle_in_transaction_session_timeout = 0' };

/**
 * The work reads one snapshot of the database over two connections, in which it locks nothing. Where no second one is
 * to be had, or a pooler gives one of another node, it reads over one. When a task fails, those that wait are given up
 * for the same reason, and the work ends once those that run have ended.
 */
export async function inOneSnapshot<T>(pool: SqlPool, work: (read: Read) => Promise<T>): Promise<T> {
  return pool.transaction(async (first) => {
    await first.query(readOnly);
    await first.query(mayWait);
    const [snapshot] = await first.query<{ id: string }>({ text: 'select pg_export_snapshot() as id' });
    const readers = new Readers();
    readers.add(first);
    let hasJoined = false;
    const second = pool
      .transaction(async (tx) => {
        await tx.query(readOnly);
        await tx.query({ text: `set transaction snapshot '${snapshot?.id ?? ''}'` });
        await tx.query(mayWait);
        hasJoined = true;
        readers.add(tx);
        await readers.over;
      })
      // A task that was lost with it has told whoever asked.
      .catch(() => undefined);
    try {
      return await work(readers.read);
    } finally {
      await readers.end();
      // One that still waits for a connection is not waited for: it finds the snapshot gone.
      if (hasJoined) await second;
    }
  });
}

/** Connections that read the same, and the tasks that wait for one. */
class Readers {
  readonly #idle: Sql[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #running = new Set<Promise<void>>();
  #reason: unknown;
  #isOver = false;
  #tellOver: () => void = () => undefined;
  readonly over = new Promise<void>((resolve) => {
    this.#tellOver = resolve;
  });

  readonly read: Read = async (task) =>
    new Promise((resolve, reject) => {
      this.#waiting.push({
        begin: async (tx) => {
          try {
            resolve(await task(tx));
          } catch (error) {
            reject(error);
            this.#giveUp(error);
          }
        },
        give: reject,
      });
      this.#next();
    });

  add(tx: Sql): void {
    this.#idle.push(tx);
    this.#next();
  }

  /** Nothing begins any more; resolves when all that runs has ended. */
  async end(): Promise<void> {
    this.#giveUp(new Error('the snapshot is not read any more'));
    await Promise.all(this.#running);
    this.#tellOver();
  }

  #giveUp(reason: unknown): void {
    if (!this.#isOver) this.#reason = reason;
    this.#isOver = true;
    for (const { give } of this.#waiting.splice(0)) give(this.#reason);
  }

  #next(): void {
    if (this.#isOver) {
      this.#giveUp(this.#reason);
      return;
    }
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const running = this.#run(this.#idle.shift() as Sql, this.#waiting.shift() as Waiting);
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    }
  }

  async #run(tx: Sql, { begin }: Waiting): Promise<void> {
    await begin(tx);
    this.add(tx);
  }
}
