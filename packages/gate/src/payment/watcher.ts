import { type Chain, ChainUnavailable, type TokenTransfer, type TransactionOutcome } from '@keyfare/evm/chain';
import type { SignedTransaction } from '@keyfare/evm/settler';
import type { PaymentHold, PaymentOutcome } from './call.js';
import type { Submissions } from './submissions.js';

export interface WatcherSettings {
  readonly chain: Chain;
  readonly submissions: Submissions;
  readonly now: () => Date;
  readonly firstPollMs: number;
  readonly longestPollMs: number;
  /** The same bytes are sent again after so long without a receipt. */
  readonly rebroadcastAfterMs: number;
  /** Higher fees are offered after so long without a receipt. */
  readonly replaceAfterMs: number;
  readonly onTrouble: (error: unknown) => void;
}

interface Watched {
  readonly hold: PaymentHold;
  transactions: readonly SignedTransaction[];
  readonly resolve: (outcome: PaymentOutcome) => void;
  readonly outcome: Promise<PaymentOutcome>;
  sentAtMs: number;
  offeredAtMs: number;
  /** The node says that a transaction with our nonce is in a block: ours, or somebody else's. */
  nonceTaken: boolean;
}

/**
 * Follows submitted payments until the chain says how they ended. One loop asks for all of them in one request. It
 * never gives up: as long as the outcome is unknown the payment stays here, and in the database for whoever comes
 * after this process.
 */
export class Watcher {
  readonly #settings: WatcherSettings;
  readonly #watched = new Map<string, Watched>();
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #refused = false;
  #closed = false;

  constructor(settings: WatcherSettings) {
    this.#settings = settings;
  }

  /** How many payments are under way. */
  get size(): number {
    return this.#watched.size;
  }

  /**
   * Whether the node refused the settler's latest transaction, for want of gas money as a rule. What is stored is
   * offered again and again; until one is taken, no new work should be done for a payment.
   */
  get refused(): boolean {
    return this.#refused;
  }

  /** Broadcasts and follows. Resolves when the outcome is known; the caller decides how long to wait. */
  watch(hold: PaymentHold, transactions: readonly SignedTransaction[]): Promise<PaymentOutcome> {
    const known = this.#watched.get(hold.exchangeId);
    if (known !== undefined) return known.outcome;
    const { promise: outcome, resolve } = deferred<PaymentOutcome>();
    this.#watched.set(hold.exchangeId, {
      hold,
      transactions,
      resolve,
      outcome,
      sentAtMs: Number.NEGATIVE_INFINITY,
      offeredAtMs: performance.now(),
      nonceTaken: false,
    });
    this.#wake?.();
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
    });
    return outcome;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { firstPollMs, longestPollMs } = this.#settings;
    let pollMs = firstPollMs;
    while (this.#watched.size > 0 && !this.#closed) {
      const fresh = [...this.#watched.values()].some(({ sentAtMs }) => sentAtMs === Number.NEGATIVE_INFINITY);
      try {
        await this.#broadcast();
        pollMs = (await this.#poll()) || fresh ? firstPollMs : Math.min(pollMs * 2, longestPollMs);
      } catch (error) {
        if (!(error instanceof ChainUnavailable)) this.#settings.onTrouble(error);
        pollMs = longestPollMs;
      }
      if (this.#watched.size > 0) await this.#sleep(pollMs);
    }
  }

  /** A newcomer ends the sleep, so that its broadcast does not wait for the others' next turn. */
  async #sleep(forMs: number): Promise<void> {
    if ([...this.#watched.values()].some(({ sentAtMs }) => sentAtMs === Number.NEGATIVE_INFINITY)) return;
    const { promise, resolve } = deferred<void>();
    const timer = setTimeout(() => resolve(), forMs);
    this.#wake = () => {
      clearTimeout(timer);
      resolve();
    };
    await promise;
    this.#wake = undefined;
  }

  async #broadcast(): Promise<void> {
    const nowMs = performance.now();
    const due = [...this.#watched.values()].filter(
      ({ sentAtMs }) => nowMs - sentAtMs > this.#settings.rebroadcastAfterMs,
    );
    if (due.length === 0) return;
    for (const watched of due) {
      if (nowMs - watched.offeredAtMs < this.#settings.replaceAfterMs) continue;
      watched.offeredAtMs = nowMs;
      const last = watched.transactions.at(-1);
      if (last !== undefined) {
        watched.transactions = [...watched.transactions, await this.#settings.submissions.replace(watched.hold, last)];
      }
    }
    const ordered = due
      .flatMap((watched) => watched.transactions.map((transaction) => ({ watched, transaction })))
      .toSorted((a, b) => a.transaction.nonce - b.transaction.nonce);
    const answers = await this.#settings.chain.broadcast(ordered.map(({ transaction }) => transaction.raw));
    for (const [index, { watched }] of ordered.entries()) {
      const answer = answers[index];
      watched.sentAtMs = nowMs;
      if (answer?.status === 'nonce-too-low') watched.nonceTaken = true;
      if (answer?.status === 'rejected') this.#refused = true;
      if (answer?.status === 'accepted') this.#refused = false;
      if (answer?.status === 'rejected' || answer?.status === 'unknown') {
        this.#settings.onTrouble(new Error(`a settlement was not taken: ${answer.message}`));
      }
    }
  }

  /** Whether anything ended. */
  async #poll(): Promise<boolean> {
    const all = [...this.#watched.values()];
    const hashes = all.flatMap(({ transactions }) => transactions.map(({ hash }) => hash));
    const receipts = await this.#settings.chain.receipts(hashes);
    const byHash = new Map(hashes.map((hash, index) => [hash, receipts[index] ?? null]));
    let ended = false;
    for (const watched of all) {
      const mined = watched.transactions
        .map(({ hash }) => byHash.get(hash) ?? null)
        .find((receipt) => receipt !== null);
      const outcome = mined ? await this.#judge(watched, mined) : await this.#judgeMissing(watched);
      if (outcome === undefined) continue;
      this.#watched.delete(watched.hold.exchangeId);
      watched.resolve(outcome);
      ended = true;
    }
    return ended;
  }

  async #judge(watched: Watched, mined: TransactionOutcome): Promise<PaymentOutcome> {
    if (mined.transfers.some((transfer) => isPayment(transfer, watched.hold))) {
      return { kind: 'settled', transaction: mined.hash };
    }
    // Reverted. Anybody may submit an authorisation: if it was used all the same, the money may be here.
    const use = await this.#findUse(watched.hold);
    return use ?? { kind: 'failed', transaction: mined.hash, reason: 'transaction-reverted' };
  }

  /** No receipt. When our nonce is in a block all the same, somebody else's transaction has it. */
  async #judgeMissing(watched: Watched): Promise<PaymentOutcome | undefined> {
    if (!watched.nonceTaken) return undefined;
    const { chain, submissions } = this.#settings;
    const last = watched.transactions.at(-1);
    if (last === undefined || (await chain.transactionCount(submissions.address)) <= last.nonce) return undefined;
    // The block may have come between the question for receipts and this one.
    const receipts = await chain.receipts(watched.transactions.map(({ hash }) => hash));
    if (receipts.some((receipt) => receipt !== null)) return undefined;
    const use = await this.#findUse(watched.hold);
    if (use !== undefined) return use;
    watched.transactions = [await submissions.renew(watched.hold)];
    watched.nonceTaken = false;
    watched.sentAtMs = Number.NEGATIVE_INFINITY;
    return undefined;
  }

  /** How the authorisation was used, where it was: undefined while it is unused. */
  async #findUse(hold: PaymentHold): Promise<PaymentOutcome | undefined> {
    const { chain, now } = this.#settings;
    const { asset, payer, nonce } = hold;
    const { authorizationUsed } = await chain.readPayer({ asset, payer, nonce });
    if (!authorizationUsed) return undefined;
    // It was unused when it was claimed, so its use is no older. No chain that we settle on has two blocks a second.
    const secondsAgo = BigInt(Math.ceil((now().getTime() - hold.claimedAt.getTime()) / 1_000));
    const head = await chain.blockNumber();
    const reach = secondsAgo * 2n + 600n;
    const fromBlock = head > reach ? head - reach : 0n;
    const use = await chain.findAuthorizationUse({ asset, authorizer: payer, nonce, fromBlock });
    if (use === null) throw new Error(`the use of ${nonce} by ${payer} cannot be found`);
    if (use.transfer !== null && isPayment(use.transfer, hold))
      return { kind: 'settled', transaction: use.transactionHash };
    // Canceled, or used to pay somebody else: a payer can sign one nonce twice.
    const reason = use.kind === 'canceled' ? 'authorization-canceled' : 'authorization-used-elsewhere';
    return { kind: 'failed', transaction: use.transactionHash, reason };
  }
}

function isPayment(transfer: TokenTransfer, hold: PaymentHold): boolean {
  return (
    transfer.authorization?.nonce === hold.nonce &&
    transfer.asset === hold.asset &&
    transfer.from === hold.payer &&
    transfer.to === hold.payTo &&
    transfer.value === hold.amount
  );
}

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  const box: { resolve?: (value: T) => void } = {};
  const promise = new Promise<T>((resolve) => {
    box.resolve = resolve;
  });
  return { promise, resolve: (value) => box.resolve?.(value) };
}
