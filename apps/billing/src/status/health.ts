import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { Inject, Injectable } from '@nestjs/common';
import { clock, evmChain, feedPool } from '../tokens.js';
import { BillingMetrics } from './metrics.js';

/** Whether what billing works with can be reached. */
export interface BillingReadiness {
  /** The books. Without them nothing can be answered. */
  readonly database: 'up' | 'down';
  /** The API's log. Without it the books are as of an earlier moment. */
  readonly feed: 'up' | 'down';
  /** Without it nothing new is known of settlements. */
  readonly chain: 'up' | 'down';
}

interface Figures {
  readonly feed_as_of: Date | null;
  readonly chain_as_of: Date | null;
  readonly head_number: string | null;
  readonly block_number: string | null;
}

/** Asks the parts how they are, and the books how far they are. */
@Injectable()
export class BillingHealth {
  constructor(
    private readonly sql: SqlPool,
    private readonly metrics: BillingMetrics,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    @Inject(evmChain) private readonly chain: Chain,
    @Inject(clock) private readonly now: Clock,
  ) {}

  async readiness(): Promise<BillingReadiness> {
    const [database, feed, chain] = await Promise.all([
      isUp(this.sql.query({ text: 'select 1' })),
      isUp(this.feedSql.query({ text: 'select 1' })),
      isUp(this.chain.blockNumber()),
    ]);
    return { database, feed, chain };
  }

  /** The text for Prometheus. What cannot be asked now keeps the figure it had. */
  async prometheus(): Promise<string> {
    await this.#measure().catch(() => undefined);
    return this.metrics.registry.metrics();
  }

  async #measure(): Promise<void> {
    const [figures] = await this.sql.query<Figures>({
      text: `select f.complete_as_of as feed_as_of, c.complete_as_of as chain_as_of, c.head_number, c.block_number
        from (select 1) as one left join billing.feed_cursor f on true left join billing.chain_cursor c on true
        order by c.complete_as_of desc nulls last limit 1`,
    });
    const breaks = await this.sql.query<{ class: string; count: number }>({
      text: `select class, count(*)::int as count from billing.break where status = 'open' group by class`,
    });
    const { intakeLag, chainHead, chainLagBlocks, chainLagSeconds, openBreaks } = this.metrics;
    if (figures?.feed_as_of) intakeLag.set(this.#secondsSince(figures.feed_as_of));
    if (figures?.chain_as_of) chainLagSeconds.set(this.#secondsSince(figures.chain_as_of));
    if (figures?.head_number) {
      chainHead.set(Number(figures.head_number));
      chainLagBlocks.set(Math.max(0, Number(figures.head_number) - Number(figures.block_number)));
    }
    openBreaks.reset();
    for (const { class: name, count } of breaks) openBreaks.set({ class: name }, count);
  }

  #secondsSince(moment: Date): number {
    return Math.max(0, (this.now().getTime() - moment.getTime()) / 1_000);
  }
}

async function isUp(question: Promise<unknown>): Promise<'up' | 'down'> {
  return question.then(
    () => 'up' as const,
    () => 'down' as const,
  );
}
