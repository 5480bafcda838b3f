import { GroupCommit } from '@keyfare/db/group-commit';
import { isRefusal, type Sql } from '@keyfare/db/sql';
import type { Logger } from '@nestjs/common';

/** What gives back what exchanges held. */
interface ReleaseStatement {
  readonly name: string;
  /** Takes the ids of exchanges, an array of uuid; for one that holds nothing it does nothing. */
  readonly text: string;
}

/**
 * Gives back what calls held that were not served, in groups. Tried until the database has done it or the process ends:
 * then a peer's sweep does it.
 */
export class Releases {
  readonly #group: GroupCommit<string, true>;
  readonly #underWay = new Set<Promise<void>>();
  #stopped = false;

  constructor(
    sql: Sql,
    { name, text }: ReleaseStatement,
    private readonly logger: Pick<Logger, 'error'>,
  ) {
    this.#group = new GroupCommit({
      write: async (ids) => {
        await sql.query({ name, text, values: [ids] });
        return ids.map(() => true as const);
      },
      waitsInDoubt: false,
    });
  }

  /** Resolves when it is given back, or never will be by this process. Never rejects. */
  async release(exchangeId: string): Promise<void> {
    const releasing = this.#untilDone(exchangeId);
    this.#underWay.add(releasing);
    await releasing;
    this.#underWay.delete(releasing);
  }

  /** As `release`, and resolves at once where the database cannot do it now. */
  async releaseOrGoOn(exchangeId: string): Promise<void> {
    await this.#group.commit(exchangeId).catch(() => void this.release(exchangeId));
  }

  /** Nothing is tried again from now on. Resolves when what was sent has its answer. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#underWay);
  }

  /** After `stop`, once nothing more is to be given back. */
  async close(): Promise<void> {
    await this.#group.close();
  }

  async #untilDone(exchangeId: string): Promise<void> {
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
      try {
        await this.#group.commit(exchangeId);
        return;
      } catch (error) {
        // A verdict of the database is the same each time; the sweep is what is left then.
        if (isRefusal(error)) this.logger.error(error);
        if (this.#stopped || isRefusal(error)) return;
        await new Promise((wake) => setTimeout(wake, pauseMs).unref());
      }
    }
  }
}
