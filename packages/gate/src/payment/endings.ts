import { GroupCommit } from '@keyfare/db/group-commit';
import { Logger } from '@nestjs/common';
import { withTimeout } from '../with-timeout.js';
import type { PaymentOutcome } from './call.js';
import type { Claims } from './claims.js';
import type { PaymentRow } from './payment-row.js';

/** What a payment's end is posted with; the corridor opens that transaction. */
export type EndPayment = (row: PaymentRow, outcome: PaymentOutcome) => Promise<void>;

const closingGraceMs = 3_000;

/**
 * The ends of payments that no caller waits for, or whose caller could not be answered because the database was away:
 * what the chain says is written as soon as the database takes it.
 */
export class Endings {
  readonly #logger = new Logger('Payment');
  readonly #underWay = new Map<string, Promise<void>>();
  /** Payments of one batch end together: their rows are read together too. */
  readonly #finds: GroupCommit<string, PaymentRow | undefined>;
  #post: EndPayment = () => Promise.reject(new Error('nobody ends payments yet'));
  #closed = false;

  constructor(claims: Claims) {
    this.#finds = new GroupCommit({
      write: async (ids) => {
        const rows = new Map((await claims.findByExchange(ids)).map((row) => [row.exchange_id, row]));
        return ids.map((id) => rows.get(id));
      },
      waitsInDoubt: false,
    });
  }

  /** Names who posts. */
  onEnd(post: EndPayment): void {
    this.#post = post;
  }

  has(exchangeId: string): boolean {
    return this.#underWay.has(exchangeId);
  }

  /** Never rejects. It gives up when the process ends: the payment is still settling then, and a peer takes it over. */
  async end(exchangeId: string, outcome: PaymentOutcome): Promise<void> {
    const known = this.#underWay.get(exchangeId);
    if (known !== undefined) return known;
    const ending = this.#end(exchangeId, outcome);
    this.#underWay.set(exchangeId, ending);
    await ending;
    this.#underWay.delete(exchangeId);
  }

  /** Lets each end try once more, if that does not take long. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = Promise.all(this.#underWay.values());
    await withTimeout(all, closingGraceMs, () => new Error('ends of payments are left to a peer')).catch(
      (error: unknown) => this.#logger.warn(error),
    );
  }

  async #end(exchangeId: string, outcome: PaymentOutcome): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        const row = await this.#finds.commit(exchangeId);
        if (row !== undefined && (row.state === 'settling' || row.state === 'served')) await this.#post(row, outcome);
        return;
      } catch (error) {
        this.#logger.warn(error);
        if (this.#closed) return;
        await new Promise((wake) => setTimeout(wake, pauseMs).unref());
      }
    }
  }
}
