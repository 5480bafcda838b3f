import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { Networks } from '../networks.js';
import { type ChainState, chainState } from '../other-chain.js';
import { atMostTwiceASecond } from '../server/watch.js';
import { withTimeout } from '../with-timeout.js';
import { type RailView, viewRail } from './rail-view.js';
import { type RailState, RailWatch, waitMs } from './rail-watch.js';
import { ReplicaService } from './replica.service.js';

/** Why the process is not `ready`. These words stay what they are. */
type Reason =
  | 'database-down'
  | 'listener-down'
  | 'chain-down'
  | 'wrong-chain'
  | 'settler-empty'
  | 'settler-low'
  | 'settlements-refused'
  | 'settlements-stalled'
  | 'breaker-open'
  | 'sequencer-lagging';

/** Whether the parts that calls need can be reached, and how the rail is doing. */
export interface GateReadiness {
  /** `unavailable` when no call can be served; `degraded` when something is to be looked at. */
  readonly status: 'ready' | 'degraded' | 'unavailable';
  readonly reasons: readonly Reason[];
  /** Without it no call is served. */
  readonly database: 'up' | 'down';
  /** Without it keys are looked up in the database for every call. */
  readonly listener: 'up' | 'down';
  /** Without it, or where it is another chain, the x402 rail answers 503; the key rail is not concerned. */
  readonly chain: ChainState;
  readonly rail: RailView;
}

/** A settlement that was not mined for so long has been offered for higher fees as well. */
const stalledAfterSeconds = 120;
const laggingAfterSeconds = 10;

/** Asks the parts how they are. */
@Injectable()
export class GateHealth {
  constructor(
    private readonly sql: SqlPool,
    private readonly replica: ReplicaService,
    private readonly networks: Networks,
    private readonly watch: RailWatch,
  ) {}

  readonly #database = new LastAnswer(() => isUp(this.sql.query({ text: 'select 1' })));
  readonly #chain = new LastAnswer(() => chainState(this.networks.all.map((access) => access.chain)));

  /**
   * As of half a second ago at most; of the rail, as of some seconds ago. It answers within a second, as probes want
   * it: a part that is late is as it last was, and `down` where it has never answered.
   */
  readonly readiness = atMostTwiceASecond(() => this.#ask());

  async #ask(): Promise<GateReadiness> {
    const [database, chain, rail] = await Promise.all([
      this.#database.ask('down'),
      this.#chain.ask('down'),
      this.watch.look(),
    ]);
    const listener = this.replica.listening ? 'up' : 'down';
    const reasons = reasonsOf({ database, listener, chain }, rail);
    const status = database === 'down' ? 'unavailable' : reasons.length > 0 ? 'degraded' : 'ready';
    return { status, reasons, database, listener, chain, rail: viewRail(rail) };
  }
}

/** A question whose answer may be late: then the one before stands for it. Each question has a time-out of its own. */
class LastAnswer<T> {
  #last: T | undefined;
  #asking: Promise<T> | undefined;

  constructor(private readonly question: () => Promise<T>) {}

  async ask(unknown: T): Promise<T> {
    this.#asking ??= this.question()
      .then((answer) => (this.#last = answer))
      .finally(() => {
        this.#asking = undefined;
      });
    return withTimeout(this.#asking, waitMs, () => new Error('late')).catch(() => this.#last ?? unknown);
  }
}

function reasonsOf(
  { database, listener, chain }: Pick<GateReadiness, 'database' | 'listener' | 'chain'>,
  { gas, settlers, breaker, books }: RailState,
): readonly Reason[] {
  const funds = new Set([...gas.values()].map((known) => known?.funds));
  const found: Readonly<Record<Reason, boolean>> = {
    'database-down': database === 'down',
    'listener-down': listener === 'down',
    'chain-down': chain === 'down',
    'wrong-chain': chain === 'wrong-chain',
    'settler-empty': funds.has('empty'),
    'settler-low': funds.has('low'),
    'settlements-refused': settlers.some(({ refused }) => refused),
    'settlements-stalled': settlers.some(({ oldestSeconds }) => oldestSeconds > stalledAfterSeconds),
    'breaker-open': breaker.isOpen,
    'sequencer-lagging': (books?.sequencerLagSeconds ?? 0) > laggingAfterSeconds,
  };
  return (Object.keys(found) as Reason[]).filter((reason) => found[reason]);
}

async function isUp(question: Promise<unknown>): Promise<'up' | 'down'> {
  return question.then(
    () => 'up' as const,
    () => 'down' as const,
  );
}
