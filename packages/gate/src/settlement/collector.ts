import type { Simulation } from '@keyfare/evm/chain';
import type { GateConfig } from '../config.js';
import type { Deferred, Movement, PaymentLedger, SettlementEvents } from '../settling.js';
import type { Settler } from './settler.js';
import { toSettle } from './signed.js';

/** What collects deferred payments of one network. */
export interface CollectorContext {
  readonly config: GateConfig;
  readonly settler: Settler;
  readonly ledger: PaymentLedger;
  readonly events: () => SettlementEvents;
  readonly onTrouble: (error: unknown) => void;
}

/** What cannot be collected now is tried again after so long, and twice as long each time. */
const firstRetryMs = 5_000;
const longestRetryMs = 300_000;

/**
 * Collects deferred payments in bulk: when there are enough of them, when they come to enough, when one is old enough or
 * will run out, and at once for a payer whose balance no longer covers what they have open. A batch is simulated first,
 * and a row that would revert is left out of it.
 */
export class Collector {
  readonly #context: CollectorContext;
  /** Payments that would revert: when each is tried again. The deferred rows of the database bound it. */
  readonly #retries = new Map<string, { atMs: number; pauseMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #watchedAtMs = 0;
  #short: ReadonlySet<string> = new Set();
  #closed = false;

  constructor(context: CollectorContext) {
    this.#context = context;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#turn = this.collect()
        .catch((error: unknown) => this.#context.onTrouble(error))
        .finally(() => this.start());
    }, this.#context.config.deferred.intervalMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  /** One turn: nothing, or one batch after the other until nothing is due. */
  async collect(): Promise<void> {
    const { ledger, settler, config } = this.#context;
    const { network, batchSize, batchContract } = settler.access.settings;
    const waiting = await ledger.deferred(network.caip2, config.deferred.count * 4);
    this.#forget(waiting);
    const nowMs = performance.now();
    const ready = waiting.filter(({ movement }) => (this.#retries.get(movement.exchangeId)?.atMs ?? 0) <= nowMs);
    await this.#watchBalances(ready);
    const chosen = this.#choose(ready);
    const size = batchContract === null ? 1 : batchSize;
    for (let from = 0; from < chosen.length; from += size) await this.#settle(chosen.slice(from, from + size));
  }

  /** All of them once something is due; else those of payers who are running short. */
  #choose(ready: readonly Deferred[]): readonly Movement[] {
    const { config } = this.#context;
    const { count, amount, ageMs, marginSeconds } = config.deferred;
    const now = config.clock().getTime();
    const total = ready.reduce((sum, { movement }) => sum + movement.amount, 0n);
    const isDue = ready.some(
      ({ movement, servedAt }) =>
        now - servedAt.getTime() >= ageMs || movement.validBefore <= BigInt(Math.floor(now / 1_000) + marginSeconds),
    );
    const all = isDue || ready.length >= count || total >= amount;
    return ready.flatMap(({ movement }) => (all || this.#short.has(movement.payer) ? [movement] : []));
  }

  /** Reads the balances of those who have something open, so often as configured. */
  async #watchBalances(ready: readonly Deferred[]): Promise<void> {
    const { config, settler } = this.#context;
    const nowMs = performance.now();
    if (ready.length === 0 || nowMs - this.#watchedAtMs < config.deferred.balanceIntervalMs) return;
    this.#watchedAtMs = nowMs;
    const open = new Map<string, { movement: Movement; amount: bigint }>();
    for (const { movement } of ready) {
      const before = open.get(movement.payer)?.amount ?? 0n;
      open.set(movement.payer, { movement, amount: before + movement.amount });
    }
    const short = await Promise.all(
      [...open.values()].map(async ({ movement, amount }) => {
        const { asset, payer, nonce } = movement;
        const { balance } = await settler.access.chain.readPayer({ asset, payer, nonce });
        return balance <= amount ? [payer] : [];
      }),
    );
    this.#short = new Set(short.flat());
  }

  async #settle(movements: readonly Movement[]): Promise<void> {
    if (movements.length === 0 || (await this.#isDear(movements))) return;
    const verdicts = await this.#simulate(movements);
    const good = movements.filter((_movement, index) => verdicts[index]?.ok === true);
    const bad = movements.filter((_movement, index) => verdicts[index]?.ok !== true);
    await Promise.all([...good.map((movement) => this.#submit(movement)), ...bad.map((one) => this.#refuse(one))]);
  }

  /** Rows are judged together, so a payer's second payment is refused when the balance covers one. */
  async #simulate(movements: readonly Movement[]): Promise<readonly Simulation[]> {
    const { chain, wallet, settings } = this.#context.settler.access;
    const [only] = movements;
    if (only === undefined) return [];
    if (movements.length === 1 || settings.batchContract === null) {
      const { gasLimit } = settings;
      return Promise.all(
        movements.map((one) => chain.simulateTransfer({ ...toSettle(one), sender: wallet.address, gasLimit })),
      );
    }
    const items = movements.map(toSettle);
    const verdicts = await chain.simulateBatch({ contract: settings.batchContract, items, sender: wallet.address });
    // One row may have spoiled them all, by its gas for one: halves find it.
    if (verdicts.some(({ ok }) => ok)) return verdicts;
    const middle = movements.length >> 1;
    const halves = await Promise.all(
      [movements.slice(0, middle), movements.slice(middle)].map((half) => this.#simulate(half)),
    );
    return halves.flat();
  }

  async #submit(movement: Movement): Promise<void> {
    const { settler, events } = this.#context;
    const submitted = await settler.submit({ movement, call: null, waitingUntil: null });
    if (submitted === 'expired') await this.#refuse(movement);
    if (typeof submitted === 'string') return;
    void submitted.ended.then((outcome) => events().ended(movement.exchangeId, outcome));
  }

  /** It ends where its authorization was used, canceled or has run out; else it is tried again, ever more seldom. */
  async #refuse(movement: Movement): Promise<void> {
    const { settler, events } = this.#context;
    const outcome = await settler.judge.findEnd(movement, null);
    if (outcome !== undefined) {
      this.#retries.delete(movement.exchangeId);
      events().ended(movement.exchangeId, outcome);
      return;
    }
    const pauseMs = Math.min((this.#retries.get(movement.exchangeId)?.pauseMs ?? firstRetryMs / 2) * 2, longestRetryMs);
    this.#retries.set(movement.exchangeId, { pauseMs, atMs: performance.now() + pauseMs });
  }

  /** While gas is above the ceiling, what does not run out soon waits. */
  async #isDear(movements: readonly Movement[]): Promise<boolean> {
    const { config, settler } = this.#context;
    const { maxFeePerGas } = settler.access.settings;
    if (maxFeePerGas === 0n || (await settler.access.chain.fees()).maxFeePerGas <= maxFeePerGas) return false;
    const soon = BigInt(Math.floor(config.clock().getTime() / 1_000) + config.deferred.marginSeconds);
    return movements.every(({ validBefore }) => validBefore > soon);
  }

  #forget(waiting: readonly Deferred[]): void {
    const ids = new Set(waiting.map(({ movement }) => movement.exchangeId));
    for (const id of this.#retries.keys()) if (!ids.has(id)) this.#retries.delete(id);
  }
}
