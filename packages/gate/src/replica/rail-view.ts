import type { SettlerFunds } from './rail-state.js';
import type { RailState } from './rail-watch.js';

/** The rail as `/readyz` tells it to who may know; null for what could not be asked for a minute. */
export interface RailView {
  /** By network (CAIP-2). */
  readonly settlers: Readonly<Record<string, SettlerView>>;
  readonly breaker: { readonly open: boolean; readonly payers: number };
  /** Of the log. */
  readonly sequencer: { readonly lagSeconds: number; readonly unplaced: number } | null;
  /** Posts that wait for a transaction, by kind. */
  readonly posts: Readonly<Record<string, number>>;
}

interface SettlerView {
  /** Null while the node has not said it. */
  readonly funds: SettlerFunds | null;
  readonly settlementsLeft: number | null;
  /** When this process last saw one in a block. */
  readonly lastSettlementAt: string | null;
  /**
   * Submissions that wait to be stored, payments whose outcome is not known, and deferred ones that wait to be
   * collected.
   */
  readonly queued: number;
  readonly underWay: number;
  readonly toCollect: number;
}

/** The state of the rail in words of JSON. */
export function viewRail({ gas, settlers, breaker, books, posts }: RailState): RailView {
  return {
    settlers: Object.fromEntries(
      settlers.map(({ network, queued, underWay, lastMinedAt, collectable }) => [
        network,
        {
          funds: gas.get(network)?.funds ?? null,
          settlementsLeft: gas.get(network)?.settlementsLeft ?? null,
          lastSettlementAt: lastMinedAt?.toISOString() ?? null,
          queued,
          underWay,
          toCollect: collectable.count,
        },
      ]),
    ),
    breaker: { open: breaker.isOpen, payers: breaker.openPayers },
    sequencer: books === undefined ? null : { lagSeconds: books.sequencerLagSeconds, unplaced: books.unplaced },
    posts,
  };
}
