import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from 'prom-client';

/** What billing counts. */
@Injectable()
export class BillingMetrics {
  readonly registry = new Registry();

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
}
