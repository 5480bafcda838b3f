import type { SqlPool } from '@keyfare/db/sql';
import type { SqlObserver } from '@keyfare/db/sql-observer';
import { Counter, Gauge, type Registry } from 'prom-client';
import { FastHistogram } from './fast-metrics.js';
import type { Tracing } from './tracing.js';

const buckets = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** What the pools of a program do. Statements are named in the code, so their names are a bounded set. */
export class SqlMetrics {
  readonly #pools = new Map<string, SqlPool>();
  readonly #duration: FastHistogram;
  readonly #waits: FastHistogram;
  readonly #failures: Counter;

  constructor(registry: Registry) {
    this.#duration = new FastHistogram(registry, {
      name: 'keyfare_sql_duration_seconds',
      help: 'Time of a statement at the database, by its name.',
      labelNames: ['statement'],
      buckets,
    });
    this.#waits = new FastHistogram(registry, {
      name: 'keyfare_sql_pool_wait_seconds',
      help: 'Time until a connection of the pool was had, or given up.',
      labelNames: ['pool'],
      buckets,
    });
    this.#failures = new Counter({
      name: 'keyfare_sql_failures_total',
      help: 'Statements that the database refused (failed) or whose connection broke (lost), by name.',
      labelNames: ['statement', 'outcome'],
      registers: [registry],
    });
    const connections: Gauge = new Gauge({
      name: 'keyfare_sql_pool_connections',
      help: 'Connections of a pool that are busy or idle, and callers that are waiting for one.',
      labelNames: ['pool', 'state'],
      registers: [registry],
      collect: () => {
        for (const [name, pool] of this.#pools) {
          for (const [state, count] of Object.entries(pool.state)) connections.set({ pool: name, state }, count);
        }
      },
    });
  }

  /** Counts, and where an SDK is registered traces, what the pool does from now on. */
  watch(name: string, pool: SqlPool, tracing?: Tracing): void {
    this.#pools.set(name, pool);
    const waits = this.#waits.series(name);
    const observer: SqlObserver = {
      began: (statement) => {
        const begunAtMs = performance.now();
        const endSpan = tracing?.beginSql(statement);
        return (outcome) => {
          this.#duration.series(statement).observe((performance.now() - begunAtMs) / 1_000);
          if (outcome !== 'ok') this.#failures.inc({ statement, outcome });
          endSpan?.(outcome);
        };
      },
      connected: (seconds) => waits.observe(seconds),
    };
    pool.observe(observer);
  }
}
