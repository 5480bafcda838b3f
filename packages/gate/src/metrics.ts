import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { FastCounter, FastHistogram, type Series } from './fast-metrics.js';
import { RpcMetrics } from './rpc-metrics.js';
import { droppedLines } from './server/logger.js';
import { SettlementMetrics } from './settlement-metrics.js';
import { SqlMetrics } from './sql-metrics.js';
import { stages } from './stages.js';

const callBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Stages of a call by key take microseconds, a settlement seconds. */
const stageBuckets = [0.000_01, 0.000_1, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30];

/** What the gate counts. The host serves `registry` wherever it likes. */
export class GateMetrics {
  readonly registry = new Registry();
  readonly sql = new SqlMetrics(this.registry);
  readonly rpc = new RpcMetrics(this.registry);
  readonly settlements = new SettlementMetrics(this.registry);

  /** Asked when the metrics are read. */
  countSettling: () => number = () => 0;

  readonly #calls = new FastCounter(this.registry, {
    name: 'keyfare_calls_total',
    help: 'Answered requests, by route, rail and status.',
    labelNames: ['route', 'rail', 'status'],
  });

  readonly #duration = new FastHistogram(this.registry, {
    name: 'keyfare_call_duration_seconds',
    help: 'From the arrival of a request to the end of its response, by rail.',
    labelNames: ['rail'],
    buckets: callBuckets,
  });

  readonly #stages = new FastHistogram(this.registry, {
    name: 'keyfare_stage_duration_seconds',
    help: 'Time of a priced call in each stage of its way through the gate, by rail.',
    labelNames: ['rail', 'stage'],
    buckets: stageBuckets,
  });

  readonly #stagesOf = new Map<string, readonly Series[]>();

  readonly refusals = new Counter({
    name: 'keyfare_refusals_total',
    help: 'Refused requests, by the code of the problem.',
    labelNames: ['code'],
    registers: [this.registry],
  });

  readonly throttled = new Counter({
    name: 'keyfare_strangers_throttled_total',
    help: 'Payments that were refused before anybody was asked, by the limit they met: address, again (presented before) or total.',
    labelNames: ['limit'],
    registers: [this.registry],
  });

  readonly groupSize = new Histogram({
    name: 'keyfare_group_commit_calls',
    help: 'How many calls went into the books with one transaction.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers: [this.registry],
  });

  readonly groupWait = new FastHistogram(this.registry, {
    name: 'keyfare_group_commit_wait_seconds',
    help: 'How long the first call of a transaction waited for it to begin, by kind of post.',
    labelNames: ['group'],
    buckets: [0.000_1, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  });

  readonly settling: Gauge = new Gauge({
    name: 'keyfare_settlements_under_way',
    help: 'Submitted payments whose outcome this process does not know yet.',
    registers: [this.registry],
    collect: () => this.settling.set(this.countSettling()),
  });

  readonly receiptFaults = new Counter({
    name: 'keyfare_receipt_template_faults_total',
    help: 'Receipts whose template did not write what the schema and canonical JSON demand; the checked form was signed.',
    registers: [this.registry],
  });

  readonly unpaid = new Counter({
    name: 'keyfare_unpaid_calls_total',
    help: 'Calls that were served and whose payment failed for good.',
    registers: [this.registry],
  });

  readonly droppedLines: Gauge = new Gauge({
    name: 'keyfare_log_lines_dropped',
    help: 'Lines that nobody read from standard output in time, since the process began.',
    registers: [this.registry],
    collect: () => this.droppedLines.set(droppedLines()),
  });

  /** Counts one answered request. */
  observeCall({
    route,
    rail,
    status,
    seconds,
  }: {
    route: string;
    rail: string;
    status: number;
    seconds: number;
  }): void {
    this.#calls.inc(route, rail, status);
    this.#duration.series(rail).observe(seconds);
  }

  /**
   * Counts the stages of one priced call: milliseconds in the order of `stages`, below 0 for those that it never
   * entered.
   */
  observeStages(rail: string, spentMs: readonly number[]): void {
    let series = this.#stagesOf.get(rail);
    if (series === undefined) {
      series = stages.map((stage) => this.#stages.series(rail, stage));
      this.#stagesOf.set(rail, series);
    }
    for (let index = 0; index < spentMs.length; index += 1) {
      const ms = spentMs[index] ?? -1;
      if (ms >= 0) series[index]?.observe(ms / 1_000);
    }
  }
}
