import { SqlPool } from '@keyfare/db/sql';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { Networks } from '../networks.js';
import {
  PaymentLedger,
  type Resumed,
  type SettlementEvents,
  type Settlements,
  type SettlerState,
  type Submission,
  type Submitted,
} from '../settling.js';
import { Tracing } from '../tracing.js';
import { Collector } from './collector.js';
import { Settler } from './settler.js';

const idleCheckMs = 10_000;
const nothing = (): void => undefined;
const nobody: SettlementEvents = {
  ended: nothing,
  dropped: nothing,
  reverted: nothing,
  mined: nothing,
  concluded: nothing,
};

/**
 * Settles payments on every configured network: one settler wallet and one watcher each. What is under way in a wallet
 * of before is followed by a settler of that wallet: its nonces, and the keys that sign higher fees, are its own.
 */
@Injectable()
export class SettlementService implements Settlements {
  readonly #settlers: ReadonlyMap<string, Settler>;
  /** Those of wallets of before, too. */
  readonly #all: readonly Settler[];
  readonly #collectors: ReadonlyMap<string, Collector>;
  readonly #logger = new Logger('Settlement');
  #events: SettlementEvents = nobody;
  #checkedAtMs = performance.now();

  constructor(
    config: GateConfig,
    sql: SqlPool,
    private readonly ledger: PaymentLedger,
    networks: Networks,
    tracing: Tracing,
  ) {
    const onTrouble = (error: unknown): void => this.#logger.warn(error);
    const context = { config, sql, ledger, onTrouble, events: () => this.#events, tracing };
    this.#settlers = new Map(
      networks.all.map((access) => [access.settings.network.caip2, new Settler({ ...context, access })]),
    );
    const previous = networks.all.flatMap((access) =>
      access.previousWallets.map((wallet) => new Settler({ ...context, access: { ...access, wallet } })),
    );
    this.#all = [...this.#settlers.values(), ...previous];
    this.#collectors = new Map(
      [...this.#settlers].map(([network, settler]) => [network, new Collector({ ...context, settler })]),
    );
  }

  get underWay(): number {
    return sum(this.#all.map(({ watcher }) => watcher.size));
  }

  /** What settles in this process, by network; wallets of before count to their network's. */
  get state(): readonly SettlerState[] {
    return [...this.#collectors].map(([network, { seen }]) => {
      const all = this.#all.filter(({ access }) => access.settings.network.caip2 === network);
      const mined = all.flatMap(({ lastMinedAt }) => (lastMinedAt === null ? [] : [lastMinedAt.getTime()]));
      return {
        network,
        queued: sum(all.map(({ submissions }) => submissions.waiting)),
        underWay: sum(all.map(({ watcher }) => watcher.size)),
        oldestSeconds: Math.max(...all.map(({ watcher }) => watcher.oldestSeconds)),
        refused: this.refuses(network),
        lastMinedAt: mined.length === 0 ? null : new Date(Math.max(...mined)),
        collectable: { count: seen.count, amounts: seen.amounts },
      };
    });
  }

  listen(events: SettlementEvents): void {
    this.#events = events;
  }

  refuses(network: string): boolean {
    return this.#of(network).watcher.refused;
  }

  async submit(submission: Submission): Promise<Submitted> {
    return this.#of(submission.movement.network).submit(submission);
  }

  isUnderWay(exchangeId: string): boolean {
    return this.#all.some(({ watcher }) => watcher.has(exchangeId));
  }

  async follow(exchangeIds: readonly string[]): Promise<void> {
    const resumed = exchangeIds.length === 0 ? [] : await this.ledger.resume(exchangeIds);
    for (const one of resumed) await this.#resume(one);
    if (performance.now() - this.#checkedAtMs < idleCheckMs) return;
    this.#checkedAtMs = performance.now();
    for (const { watcher } of this.#all) {
      void watcher.check().catch((error: unknown) => this.#logger.warn(error));
    }
  }

  /**
   * Brings each wallet in line with its chain, and begins to collect what was deferred. Rejects with `ChainUnavailable`
   * where a chain is away: then the first settlement there does it.
   */
  async open(): Promise<void> {
    for (const collector of this.#collectors.values()) collector.start();
    await Promise.all(this.#all.map(({ submissions }) => submissions.open()));
  }

  /** The process is about to end: nobody waits for long any more to learn of an outcome. */
  limitDoubt(): void {
    for (const { submissions } of this.#all) submissions.limitDoubt();
  }

  /** Bounded, though database and chain be away: what is left under way is in the database, for a peer. */
  async close(): Promise<void> {
    await Promise.all([...this.#collectors.values()].map((collector) => collector.close()));
    await Promise.all(this.#all.map((settler) => settler.close()));
  }

  async #resume(one: Resumed): Promise<void> {
    const { network } = one.movement;
    const settler = this.#all.find(
      ({ access }) => access.settings.network.caip2 === network && access.wallet.address === one.wallet,
    );
    if (settler === undefined) {
      const missing = this.#settlers.has(network)
        ? `the key of ${one.wallet} in SETTLER_PREVIOUS_KEYS`
        : 'that network';
      this.#logger.warn(`a payment on ${network} waits for ${missing} to be configured again`);
      return;
    }
    const watch = await settler.resume(one);
    if (one.transaction !== null) return;
    void watch.ended.then((outcome) => this.#events.ended(one.movement.exchangeId, outcome));
  }

  #of(network: string): Settler {
    const settler = this.#settlers.get(network);
    if (settler === undefined) throw new Error(`payments on ${network} are not configured`);
    return settler;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
