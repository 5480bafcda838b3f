import type { Clock } from '@keyfare/core/time';
import { SqlPool } from '@keyfare/db/sql';
import type { Chain } from '@keyfare/evm/chain';
import { atMostTwiceASecond, type ChainState, chainState, withTimeout } from '@keyfare/gate/server';
import { Inject, Injectable } from '@nestjs/common';
import { BillingConfig } from '../config.js';
import { type Standstill, Standstills, standstillClasses } from '../standstills.js';
import { clock, evmChain, feedPool } from '../tokens.js';
import { watchesOf } from '../watch.js';
import { BillingMetrics } from './metrics.js';

/** A scrape waits for the database and the node so long at most. */
const scrapeWaitMs = 1_000;

/** Whether what billing works with can be reached. */
export interface BillingReadiness {
  /** The books. Without them nothing can be answered. */
  readonly database: 'up' | 'down';
  /** The API's log. Without it the books are as of an earlier moment. */
  readonly feed: 'up' | 'down';
  /** Without it nothing new is known of settlements; of a node of another chain nothing is read. */
  readonly chain: ChainState;
  /** Parts that may all be up, and have not moved the books for longer than is normal. */
  readonly standstills: readonly Pick<Standstill, 'class' | 'since'>[];
}

/** Asks the parts how they are, and the books how far they are. */
@Injectable()
export class BillingHealth {
  constructor(
    private readonly config: BillingConfig,
    private readonly sql: SqlPool,
    private readonly standstills: Standstills,
    private readonly metrics: BillingMetrics,
    @Inject(feedPool) private readonly feedSql: SqlPool,
    @Inject(evmChain) private readonly chain: Chain,
    @Inject(clock) private readonly now: Clock,
  ) {}

  /** As of half a second ago at most. */
  readonly readiness = atMostTwiceASecond(() => this.#ask());

  async #ask(): Promise<BillingReadiness> {
    const [found, feed, chain] = await Promise.all([
      this.standstills.find(this.sql).catch(() => null),
      isUp(this.feedSql.query({ text: 'select 1' })),
      chainState([this.chain]),
    ]);
    const standstills = (found ?? []).map(({ class: name, since }) => ({ class: name, since }));
    return { database: found === null ? 'down' : 'up', feed, chain, standstills };
  }

  /** The text for Prometheus. What cannot be asked now, or not in a second, keeps the figure it had. */
  async prometheus(): Promise<string> {
    const asked = [this.#measured(), this.#feedMeasured(), this.readiness().then((parts) => this.#tellParts(parts))];
    const settled = Promise.allSettled(asked);
    await withTimeout(settled, scrapeWaitMs, () => new Error('late')).catch(() => undefined);
    return this.metrics.registry.metrics();
  }

  readonly #measured = atMostTwiceASecond(() => this.#measure());
  readonly #feedMeasured = atMostTwiceASecond(() => this.#measureFeed());

  #tellParts({ database, feed, chain }: BillingReadiness): void {
    for (const [part, state] of Object.entries({ database, feed, chain })) {
      this.metrics.up.set({ part }, state === 'up' ? 1 : 0);
    }
  }

  /** How far the books have read the log. */
  async #measureFeed(): Promise<void> {
    const [read] = await this.sql.query<{ place: string }>({
      name: 'billing_watch_place',
      text: `select place from billing.feed_cursor where feed = 'api'`,
    });
    const place = Number(read?.place ?? 0);
    this.metrics.lastPlace.set(place);
    const [head] = await this.feedSql.query<{ place: string }>({
      name: 'billing_watch_head',
      text: 'select place from keyfare.log_head',
    });
    this.metrics.intakeLagEntries.set(Math.max(0, Number(head?.place ?? 0) - place));
  }

  async #measure(): Promise<void> {
    const [cursor] = await this.sql.query<{ head_number: string; block_number: string }>({
      name: 'billing_watch_chain',
      text: `select max(head_number) as head_number, min(block_number) as block_number from billing.chain_cursor
        where watch = any($1) having count(*) > 0`,
      values: [watchesOf(this.config.network, this.config.payTo)],
    });
    const [reconciled] = await this.sql.query<{ at: Date | null }>({
      name: 'billing_watch_reconciled',
      text: 'select max(finished_at) as at from billing.reconciliation',
    });
    this.metrics.lastReconciliation.set((reconciled?.at?.getTime() ?? 0) / 1_000);
    const breaks = await this.sql.query<{ class: string; count: number }>({
      name: 'billing_watch_breaks',
      text: `select class, count(*)::int as count from billing.break where status = 'open' group by class`,
    });
    const { intakeLag, chainHead, chainLagBlocks, chainLagSeconds, openBreaks, standstill } = this.metrics;
    const lags = await this.standstills.lags(this.sql);
    intakeLag.set(this.#secondsSince(lags.intake));
    chainLagSeconds.set(this.#secondsSince(lags.chain));
    if (cursor !== undefined) {
      chainHead.set(Number(cursor.head_number));
      chainLagBlocks.set(Math.max(0, Number(cursor.head_number) - Number(cursor.block_number)));
    }
    const found = await this.standstills.find(this.sql);
    for (const name of standstillClasses) {
      const [first] = found
        .filter((each) => each.class === name)
        .toSorted((a, b) => a.since.getTime() - b.since.getTime());
      standstill.set({ class: name }, first === undefined ? 0 : this.#secondsSince(first.since));
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
