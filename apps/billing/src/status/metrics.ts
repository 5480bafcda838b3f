import { RpcMetrics, SqlMetrics } from '@keyfare/gate/server';
import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';

/** What billing counts. */
@Injectable()
export class BillingMetrics {
  readonly registry = new Registry();
  readonly sql = new SqlMetrics(this.registry);
  readonly rpc = new RpcMetrics(this.registry);

  readonly up = new Gauge({
    name: 'keyfare_billing_up',
    help: 'Whether a part that billing works with can be reached (1): database, feed, chain.',
    labelNames: ['part'],
    registers: [this.registry],
  });

  readonly entries = new Counter({
    name: 'keyfare_billing_entries_ingested_total',
    help: 'Entries read from the log by this process, by whether they are good.',
    labelNames: ['outcome'],
    registers: [this.registry],
  });

  readonly intakeLag = new Gauge({
    name: 'keyfare_billing_intake_lag_seconds',
    help: 'How long ago the books were last known to hold every entry.',
    registers: [this.registry],
  });

  readonly intakeLagEntries = new Gauge({
    name: 'keyfare_billing_intake_lag_entries',
    help: 'Entries that have their place in the log and are not in the books.',
    registers: [this.registry],
  });

  readonly lastPlace = new Gauge({
    name: 'keyfare_billing_last_place',
    help: 'The place in the log up to which the books have read.',
    registers: [this.registry],
  });

  readonly lastReconciliation = new Gauge({
    name: 'keyfare_billing_reconciliation_last_timestamp_seconds',
    help: 'When the last reconciliation was done; 0 when there was none.',
    registers: [this.registry],
  });

  readonly jobFailures = new Counter({
    name: 'keyfare_billing_job_failures_total',
    help: 'Jobs by the calendar that failed in this process, by queue.',
    labelNames: ['queue'],
    registers: [this.registry],
  });

  readonly chainHead = new Gauge({
    name: 'keyfare_billing_chain_head_block',
    help: 'The newest block that the chain was seen to have.',
    registers: [this.registry],
  });

  readonly chainLagBlocks = new Gauge({
    name: 'keyfare_billing_chain_lag_blocks',
    help: 'Blocks that the chain has and the books have not read.',
    registers: [this.registry],
  });

  readonly chainLagSeconds = new Gauge({
    name: 'keyfare_billing_chain_lag_seconds',
    help: 'How long ago the books were last known to hold every transfer.',
    registers: [this.registry],
  });

  readonly standstill = new Gauge({
    name: 'keyfare_billing_standstill_seconds',
    help: 'For how long the intake or the chain has stood still, or the chain was rewritten, by class of break; 0 when not.',
    labelNames: ['class'],
    registers: [this.registry],
  });

  readonly stepFailures = new Counter({
    name: 'keyfare_billing_step_failures_total',
    help: 'Steps of the intake, the chain or a queue of jobs that failed in this process, by loop.',
    labelNames: ['loop'],
    registers: [this.registry],
  });

  readonly openBreaks = new Gauge({
    name: 'keyfare_billing_open_breaks',
    help: 'Open reconciliation breaks, by class.',
    labelNames: ['class'],
    registers: [this.registry],
  });

  constructor() {
    // A gauge without labels begins with 0: what was never measured must not look like that.
    const { intakeLag, intakeLagEntries, lastPlace, lastReconciliation, chainHead, chainLagBlocks, chainLagSeconds } =
      this;
    for (const gauge of [
      intakeLag,
      intakeLagEntries,
      lastPlace,
      lastReconciliation,
      chainHead,
      chainLagBlocks,
      chainLagSeconds,
    ])
      gauge.remove();
  }
}
