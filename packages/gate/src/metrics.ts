import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { FastCounter, FastHistogram } from './fast-metrics.js';
import { droppedLines } from './server/logger.js';

/** What the gate counts. The host serves `registry` wherever it likes. */
export class GateMetrics {
  readonly registry = new Registry();

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
    labelName: 'rail',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  });

  readonly refusals = new Counter({
    name: 'keyfare_refusals_total',
    help: 'Refused requests, by the code of the problem.',
    labelNames: ['code'],
    registers: [this.registry],
  });

  readonly groupSize = new Histogram({
    name: 'keyfare_group_commit_calls',
    help: 'How many calls went into the books with one transaction.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers: [this.registry],
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
    this.#duration.observe(rail, seconds);
  }
}
