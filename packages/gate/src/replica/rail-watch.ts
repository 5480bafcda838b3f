import { isProblem } from '@keyfare/core/problem';
import { DatabaseUnavailable } from '@keyfare/db/sql';
import { ChainUnavailable } from '@keyfare/evm/chain';
import { Injectable, Logger } from '@nestjs/common';
import { GateConfig } from '../config.js';
import { PostOffice } from '../exchange/post.js';
import { ListPool } from '../list-pool.js';
import { MeterService } from '../meter/meter.service.js';
import { Networks } from '../networks.js';
import type { BreakerState } from '../payment/breaker.js';
import { PaymentService } from '../payment/payment.service.js';
import { SettlementService } from '../settlement/settlement.service.js';
import type { SettlerState } from '../settling.js';
import { withTimeout } from '../with-timeout.js';
import { type Books, type Gas, readBooks, readGas } from './rail-state.js';

/** How often database and node are asked at most, however many ask here. */
const askEveryMs = 5_000;
/** Who asks waits for them so long at most, and then gets what was known. */
export const waitMs = 800;
/** What is older than this is not known any more. */
const believedMs = 60_000;

/** The rail as this process sees it; undefined where what would say it could not be asked for a minute. */
export interface RailState {
  readonly books: Books | undefined;
  /** By network (CAIP-2). */
  readonly gas: ReadonlyMap<string, Gas | undefined>;
  readonly settlers: readonly SettlerState[];
  readonly breaker: BreakerState;
  /** Posts that wait for a transaction, by kind. */
  readonly posts: Readonly<Record<string, number>>;
  readonly leases: MeterService['leases'];
}

/**
 * Looks at the rail for those who watch it. Database and node are asked apart from the calls, seldom, and nobody waits
 * for them longer than 0.8 s: neither can hold up a scrape, and no scrape them.
 */
@Injectable()
export class RailWatch {
  readonly #logger = new Logger('Watch');
  readonly #books: Known<Books>;
  readonly #gas: ReadonlyMap<string, Known<Gas>>;

  constructor(
    { settlerLowSettlements }: GateConfig,
    lists: ListPool,
    networks: Networks,
    private readonly settlements: SettlementService,
    private readonly payments: PaymentService,
    private readonly post: PostOffice,
    private readonly meter: MeterService,
  ) {
    const warn = (error: unknown): void => this.#logger.warn(error);
    this.#books = new Known(async () => readBooks(lists), warn);
    this.#gas = new Map(
      networks.all.map((access) => [
        access.settings.network.caip2,
        new Known(async () => readGas(access, settlerLowSettlements), warn),
      ]),
    );
  }

  /** Never rejects, and answers within a second. */
  async look(): Promise<RailState> {
    await Promise.all([this.#books, ...this.#gas.values()].map(async (known) => known.refresh()));
    return {
      books: this.#books.value,
      gas: new Map([...this.#gas].map(([network, known]) => [network, known.value])),
      settlers: this.settlements.state,
      breaker: this.payments.breaker.state,
      posts: this.post.waiting,
      leases: this.meter.leases,
    };
  }
}

/** A value that is asked for seldom and kept for a while when nobody answers. */
class Known<T> {
  #value: T | undefined;
  #atMs = Number.NEGATIVE_INFINITY;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(
    private readonly ask: () => Promise<T>,
    private readonly onError: (error: unknown) => void,
  ) {}

  get value(): T | undefined {
    return performance.now() - this.#atMs < believedMs ? this.#value : undefined;
  }

  /** Waits for a question that is under way, and asks a new one only when the last is some seconds old. */
  async refresh(): Promise<void> {
    if (this.#asking === undefined) {
      if (performance.now() - this.#askedAtMs < askEveryMs) return;
      this.#askedAtMs = performance.now();
      this.#asking = this.#ask();
    }
    await withTimeout(this.#asking, waitMs, () => new Error('late')).catch(() => undefined);
  }

  async #ask(): Promise<void> {
    try {
      this.#value = await this.ask();
      this.#atMs = performance.now();
    } catch (error) {
      // What was known stays for a while. That the database or the node is away, or slow, is told by the readiness.
      if (!isAway(error)) this.onError(error);
    } finally {
      this.#asking = undefined;
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof DatabaseUnavailable || error instanceof ChainUnavailable || isProblem(error);
}
