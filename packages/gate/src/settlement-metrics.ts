import type { TransactionOutcome } from '@keyfare/evm/chain';
import { Counter, type Registry } from 'prom-client';

const weiPerCoin = 1e18;

/** A transaction of the settler that came into a block, and how many of its payments it did not move. */
export interface MinedSettlement {
  readonly network: string;
  readonly outcome: TransactionOutcome;
  readonly unmoved: number;
}

/** What settlements came to and cost. Each process counts those that it follows. */
export class SettlementMetrics {
  readonly #mined: Counter;
  readonly #reverts: Counter;
  readonly #gas: Counter;
  readonly #spent: Counter;
  readonly #ended: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#mined = new Counter({
      name: 'keyfare_settlements_mined_total',
      help: 'Settlement transactions that came into a block, by network and whether they succeeded or reverted.',
      labelNames: ['network', 'outcome'],
      registers,
    });
    this.#reverts = new Counter({
      name: 'keyfare_settlement_reverts_total',
      help: 'Payments that a settlement in a block did not move, by network.',
      labelNames: ['network'],
      registers,
    });
    this.#gas = new Counter({
      name: 'keyfare_settlement_gas_used_total',
      help: 'Gas that settlements used, by network.',
      labelNames: ['network'],
      registers,
    });
    this.#spent = new Counter({
      name: 'keyfare_settlement_gas_spent_coins_total',
      help: "What settlements cost in the network's own coin, the fee for layer 1 included.",
      labelNames: ['network'],
      registers,
    });
    this.#ended = new Counter({
      name: 'keyfare_payments_ended_total',
      help: 'Payments whose outcome this process learned, by network and outcome: settled or failed.',
      labelNames: ['network', 'outcome'],
      registers,
    });
  }

  /** Counts a transaction, once. */
  mined({ network, outcome, unmoved }: MinedSettlement): void {
    this.#mined.inc({ network, outcome: outcome.succeeded ? 'succeeded' : 'reverted' });
    if (unmoved > 0) this.#reverts.inc({ network }, unmoved);
    this.#gas.inc({ network }, Number(outcome.gasUsed));
    const wei = outcome.gasUsed * outcome.effectiveGasPrice + outcome.l1Fee;
    this.#spent.inc({ network }, Number(wei) / weiPerCoin);
  }

  /** Counts the outcome of a payment. */
  ended(network: string, outcome: 'settled' | 'failed'): void {
    this.#ended.inc({ network, outcome });
  }
}
