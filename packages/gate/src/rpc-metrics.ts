import type { RpcObserver } from '@keyfare/evm/chain';
import { Counter, type Registry } from 'prom-client';
import { FastHistogram } from './fast-metrics.js';
import type { Tracing } from './tracing.js';

/** What is asked of nodes. Methods are named in the code, so they are a bounded set. */
export class RpcMetrics {
  readonly #duration: FastHistogram;
  readonly #batches: FastHistogram;
  readonly #failures: Counter;

  constructor(registry: Registry) {
    this.#duration = new FastHistogram(registry, {
      name: 'keyfare_rpc_duration_seconds',
      help: 'From the asking of a JSON-RPC call to its answer, waiting included, by network and method.',
      labelNames: ['network', 'method'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    });
    this.#batches = new FastHistogram(registry, {
      name: 'keyfare_rpc_batch_calls',
      help: 'Calls in one HTTP request to a node, by network.',
      labelNames: ['network'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    });
    this.#failures = new Counter({
      name: 'keyfare_rpc_failures_total',
      help: 'JSON-RPC calls that the node refused, did not answer (unavailable), or answered for another chain.',
      labelNames: ['network', 'method', 'outcome'],
      registers: [registry],
    });
  }

  /** Counts, and where an SDK is registered traces, the calls to the node of a network (CAIP-2). */
  observer(network: string, tracing?: Tracing): RpcObserver {
    const batches = this.#batches.series(network);
    return {
      began: (method) => {
        const begunAtMs = performance.now();
        const endSpan = tracing?.beginRpc(network, method);
        return (outcome) => {
          this.#duration.series(network, method).observe((performance.now() - begunAtMs) / 1_000);
          if (outcome !== 'ok') this.#failures.inc({ network, method, outcome });
          endSpan?.(outcome);
        };
      },
      sent: (calls) => batches.observe(calls),
    };
  }
}
