import { type Address, findToken } from '@keyfare/core/x402';
import type { GateConfig } from '../config.js';
import type { DeferredQuestion, Movement, PaymentLedger, SettlementEvents, Waiting } from '../settling.js';
import type { Settler } from './settler.js';
import { simulate, toSettle } from './signed.js';

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
/** Rows in memory at once. */
const pageSize = 500;
/** The balances of so many payers are watched, of those who have the most open. */
const watchedPayers = 500;

interface Sorted {
  readonly together: readonly Movement[];
  readonly apart: readonly Movement[];
  readonly refused: readonly Movement[];
}

/**
 * Collects deferred payments in bulk: when there are enough of them, when those in one asset come to enough, when one
 * is old enough or will run out, and at once for a payer whose balance no longer covers what they have open. A batch
 * may mix assets, for each of its rows names its token. It is simulated first, and a row that would revert is left out
 * of it.
 */
export class Collector {
  readonly #context: CollectorContext;
  /** Payments that would revert: when each is tried again. The deferred rows of the database bound it. */
  readonly #retries = new Map<string, { atMs: number; pauseMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #watchedAtMs = 0;
  #short: ReadonlySet<Address> = new Set();
  #closed = false;
  /** What waited to be collected when that was last looked at. */
  seen: Pick<Waiting, 'count' | 'amounts'> = { count: 0, amounts: [] };

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
    const { ledger, settler } = this.#context;
    const { batchSize, batchContract } = settler.access.settings;
    const all = await this.#isDue();
    const payers = all ? undefined : [...(await this.#findShort())];
    if (payers?.length === 0) return;
    const size = batchContract === null ? 1 : batchSize;
    for (let before = ''; ; ) {
      const page = await ledger.deferred({ ...this.#question(), ...(payers && { payers }), limit: pageSize });
      if (all && page.length < pageSize) this.#forget(page);
      const [first] = page;
      // A page that is the same again: nothing can be done for its payments at present.
      if (first === undefined || first.exchangeId === before) return;
      before = first.exchangeId;
      for (let from = 0; from < page.length; from += size) await this.#settle(page.slice(from, from + size));
    }
  }

  #question(): DeferredQuestion {
    const nowMs = performance.now();
    const later = [...this.#retries].filter(([, { atMs }]) => atMs > nowMs);
    return { network: this.#context.settler.access.settings.network.caip2, except: later.map(([id]) => id) };
  }

  /** Whether all that waits is to be collected now. */
  async #isDue(): Promise<boolean> {
    const { config, ledger, settler } = this.#context;
    const { count, limits, ageMs, marginSeconds } = config.deferred;
    const waiting = await ledger.waiting(this.#question());
    this.seen = waiting;
    const { oldest, validBefore } = waiting;
    if (oldest === null || validBefore === null) return false;
    const now = config.clock().getTime();
    const isOld = now - oldest.getTime() >= ageMs || validBefore <= BigInt(Math.floor(now / 1_000) + marginSeconds);
    const isMuch = waiting.amounts.some(({ asset, amount }) => {
      const token = findToken(settler.access.settings.network, asset);
      return token !== null && amount >= limits[token.symbol].collectAt;
    });
    return isOld || waiting.count >= count || isMuch;
  }

  /** Payers whose balance no longer covers what they have open: their balances are read so often as configured. */
  async #findShort(): Promise<ReadonlySet<Address>> {
    const { config, ledger, settler } = this.#context;
    const nowMs = performance.now();
    if (nowMs - this.#watchedAtMs < config.deferred.balanceIntervalMs) return this.#short;
    this.#watchedAtMs = nowMs;
    const { chain } = settler.access;
    const open = await ledger.waitingByPayer(this.#question(), watchedPayers);
    const balances = await Promise.all(open.map((one) => chain.readBalance(one)));
    this.#short = new Set(
      open.flatMap(({ payer, amount }, index) => ((balances[index] ?? 0n) <= amount ? [payer] : [])),
    );
    return this.#short;
  }

  async #settle(movements: readonly Movement[]): Promise<void> {
    if (movements.length === 0 || (await this.#isDear(movements))) return;
    const { together, apart, refused } = await this.#sort(movements);
    await Promise.all([
      ...together.map((movement) => this.#submit(movement, { alone: false })),
      ...apart.map((movement) => this.#submit(movement, { alone: true })),
      ...refused.map((movement) => this.#refuse(movement)),
    ]);
  }

  /**
   * Which of them can be collected in one transaction, and which not. Rows are judged together, so a payer's second
   * payment is refused when the balance covers one. A row whose payer's code takes the gas of those behind it is found
   * by halves, and goes in a transaction of its own.
   */
  async #sort(movements: readonly Movement[], isApart = false): Promise<Sorted> {
    const { chain, wallet, settings } = this.#context.settler.access;
    if (movements.length === 1 || settings.batchContract === null) {
      const verdicts = await Promise.all(movements.map((one) => simulate(this.#context.settler.access, one)));
      const good = movements.filter((_movement, index) => verdicts[index]?.ok === true);
      const refused = movements.filter((_movement, index) => verdicts[index]?.ok !== true);
      return { together: isApart ? [] : good, apart: isApart ? good : [], refused };
    }
    const items = movements.map(toSettle);
    const verdicts = await chain.simulateBatch({ contract: settings.batchContract, items, sender: wallet.address });
    const sorted: { -readonly [Part in keyof Sorted]: Movement[] } = { together: [], apart: [], refused: [] };
    const starved: Movement[] = [];
    for (const [index, movement] of movements.entries()) {
      const verdict = verdicts[index];
      if (verdict?.ok === true) sorted.together.push(movement);
      else if (verdict?.kind === 'out-of-gas') starved.push(movement);
      else sorted.refused.push(movement);
    }
    if (starved.length === 0) return sorted;
    const middle = starved.length < movements.length ? starved.length : starved.length >> 1;
    const rest = [starved.slice(0, middle), starved.slice(middle)].filter((half) => half.length > 0);
    const parts = await Promise.all(rest.map((half) => this.#sort(half, true)));
    return merged([sorted, ...parts]);
  }

  async #submit(movement: Movement, { alone }: { readonly alone: boolean }): Promise<void> {
    const { settler, events } = this.#context;
    const submitted = await settler.submit({ movement, call: null, waitingUntil: null, alone });
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

  /** A payment whose time to be tried again has come, and that does not wait any more, has ended. */
  #forget(page: readonly Movement[]): void {
    const nowMs = performance.now();
    const ids = new Set(page.map(({ exchangeId }) => exchangeId));
    for (const [id, { atMs }] of this.#retries) if (atMs <= nowMs && !ids.has(id)) this.#retries.delete(id);
  }
}

function merged(parts: readonly Sorted[]): Sorted {
  return {
    together: parts.flatMap(({ together }) => together),
    apart: parts.flatMap(({ apart }) => apart),
    refused: parts.flatMap(({ refused }) => refused),
  };
}
