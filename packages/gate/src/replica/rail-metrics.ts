import { SqlPool } from '@keyfare/db/sql';
import { Injectable } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { ListPool } from '../list-pool.js';
import { GateMetrics } from '../metrics.js';
import { Tracing } from '../tracing.js';
import { GateHealth } from './health.js';
import { type RailState, RailWatch } from './rail-watch.js';

const weiPerCoin = 1e18;
const fundsLevel = { empty: 0, low: 1, ok: 2 };

interface Told {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Sets the gauge; what it does not set is not shown. */
  readonly tell: (state: RailState, set: (labels: Record<string, string>, value: number) => void) => void;
}

/**
 * What the state of the rail is as figures. All networks by CAIP-2; money in atomic units, gas in the network's own
 * coin.
 */
const figures: readonly Told[] = [
  {
    name: 'keyfare_settler_balance_coins',
    help: "What the settler's wallet has for gas, in the network's own coin.",
    labelNames: ['network'],
    tell: ({ gas }, set) => {
      for (const [network, known] of gas) if (known) set({ network }, Number(known.wei) / weiPerCoin);
    },
  },
  {
    name: 'keyfare_settler_settlements_left',
    help: 'Settlements of one payment each that the wallet pays for at the fees of the moment; 0 when the node would take none.',
    labelNames: ['network'],
    tell: ({ gas }, set) => {
      for (const [network, known] of gas) if (known) set({ network }, known.settlementsLeft);
    },
  },
  {
    name: 'keyfare_settler_funds',
    help: 'Whether the settler can pay: 2 ok, 1 low (below SETTLER_LOW_SETTLEMENTS), 0 empty.',
    labelNames: ['network'],
    tell: ({ gas }, set) => {
      for (const [network, known] of gas) if (known) set({ network }, fundsLevel[known.funds]);
    },
  },
  {
    name: 'keyfare_settler_refused',
    help: 'Whether the node refuses a transaction of the settler (1), so that no payment is taken.',
    labelNames: ['network'],
    tell: ({ settlers }, set) => {
      for (const { network, refused } of settlers) set({ network }, refused ? 1 : 0);
    },
  },
  {
    name: 'keyfare_settlement_last_mined_timestamp_seconds',
    help: 'When this process last saw a settlement in a block; absent while it has seen none.',
    labelNames: ['network'],
    tell: ({ settlers }, set) => {
      for (const { network, lastMinedAt } of settlers) if (lastMinedAt) set({ network }, lastMinedAt.getTime() / 1_000);
    },
  },
  {
    name: 'keyfare_settlement_oldest_seconds',
    help: 'For how long the oldest submitted settlement of this process has waited to be mined; 0 when none waits.',
    labelNames: ['network'],
    tell: ({ settlers }, set) => {
      for (const { network, oldestSeconds } of settlers) set({ network }, oldestSeconds);
    },
  },
  {
    name: 'keyfare_settlement_queue',
    help: 'Submissions that wait to be signed and stored.',
    labelNames: ['network'],
    tell: ({ settlers }, set) => {
      for (const { network, queued } of settlers) set({ network }, queued);
    },
  },
  {
    name: 'keyfare_collector_waiting_payments',
    help: 'Deferred payments that wait to be collected, as of the last look.',
    labelNames: ['network'],
    tell: ({ settlers }, set) => {
      for (const { network, collectable } of settlers) set({ network }, collectable.count);
    },
  },
  {
    name: 'keyfare_collector_waiting_amount',
    help: 'What the deferred payments come to that wait to be collected, in atomic units of the asset.',
    labelNames: ['network', 'asset'],
    tell: ({ settlers }, set) => {
      for (const { network, collectable } of settlers) {
        for (const { asset, amount } of collectable.amounts) set({ network, asset }, Number(amount));
      }
    },
  },
  {
    name: 'keyfare_breaker_open',
    help: 'Whether reverts have closed the x402 rail to everybody (1).',
    tell: ({ breaker }, set) => set({}, breaker.isOpen ? 1 : 0),
  },
  {
    name: 'keyfare_breaker_open_payers',
    help: 'Payers who are refused because their settlements reverted.',
    tell: ({ breaker }, set) => set({}, breaker.openPayers),
  },
  {
    name: 'keyfare_breaker_trips',
    help: 'How often reverts closed the rail since the process began, to one payer or to all.',
    labelNames: ['scope'],
    tell: ({ breaker }, set) => {
      for (const [scope, count] of Object.entries(breaker.trips)) set({ scope }, count);
    },
  },
  {
    name: 'keyfare_sequencer_lag_seconds',
    help: 'For how long the oldest entry of the log has waited for its place; 0 when all have one.',
    tell: ({ books }, set) => books && set({}, books.sequencerLagSeconds),
  },
  {
    name: 'keyfare_sequencer_unplaced_entries',
    help: 'Entries of the log without a place; no more than 10,000 posts are counted.',
    tell: ({ books }, set) => books && set({}, books.unplaced),
  },
  {
    name: 'keyfare_payments',
    help: 'Payments that have not come to their end, by network, asset and state; no more than 100,000 are counted.',
    labelNames: ['network', 'asset', 'state'],
    tell: ({ books }, set) => {
      for (const { network, asset, state, count } of books?.payments ?? []) set({ network, asset, state }, count);
    },
  },
  {
    name: 'keyfare_payments_amount',
    help: 'What those payments come to, in atomic units of the asset.',
    labelNames: ['network', 'asset', 'state'],
    tell: ({ books }, set) => {
      for (const { network, asset, state, amount } of books?.payments ?? [])
        set({ network, asset, state }, Number(amount));
    },
  },
  {
    name: 'keyfare_group_commit_waiting',
    help: 'Posts that wait for a transaction, by kind.',
    labelNames: ['group'],
    tell: ({ posts }, set) => {
      for (const [group, count] of Object.entries(posts)) set({ group }, count);
    },
  },
  {
    name: 'keyfare_leases',
    help: "Leases of accounts' allowances that this process has open.",
    tell: ({ leases }, set) => set({}, leases.open),
  },
  {
    name: 'keyfare_leased_units',
    help: 'Units of those leases, by whether calls hold them or they are free.',
    labelNames: ['state'],
    tell: ({ leases: { held, free } }, set) => {
      set({ state: 'held' }, Number(held));
      set({ state: 'free' }, Number(free));
    },
  },
];

/** Shows the state of the rail, of the parts and of the pools among the gate's metrics. */
@Injectable()
export class RailMetrics {
  constructor(
    { registry, sql }: GateMetrics,
    calls: SqlPool,
    lists: ListPool,
    tracing: Tracing,
    watch: RailWatch,
    health: GateHealth,
  ) {
    sql.watch('calls', calls, tracing);
    sql.watch('lists', lists, tracing);
    for (const { name, help, labelNames = [], tell } of figures) {
      const gauge: Gauge = new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [registry],
        collect: async () => {
          const state = await watch.look();
          gauge.reset();
          // A gauge without labels is 0 after a reset: what is not known must not look like that.
          if (labelNames.length === 0) gauge.remove();
          tell(state, (labels, value) => gauge.set(labels, value));
        },
      });
    }
    const up: Gauge = new Gauge({
      name: 'keyfare_up',
      help: 'Whether a part that calls need can be reached (1): database, listener, chain.',
      labelNames: ['part'],
      registers: [registry],
      collect: async () => {
        const { database, listener, chain } = await health.readiness();
        for (const [part, state] of Object.entries({ database, listener, chain })) {
          up.set({ part }, state === 'up' ? 1 : 0);
        }
      },
    });
  }
}
