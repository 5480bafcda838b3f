import type { PaymentHold } from './call.js';

const maxAgeMs = 1_000;

/**
 * What all payers have open together, read once a second; what this process claims meanwhile is added. Claims of other
 * processes within that second are not seen: so much may the limit be passed by, at most.
 */
export class TotalExposure {
  #read: Promise<Map<string, bigint>> | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly totals: () => Promise<ReadonlyMap<string, bigint>>) {}

  /** The total on the hold's network, in its asset, with the hold in it. */
  async after({ network, asset, amount }: PaymentHold): Promise<bigint> {
    const nowMs = performance.now();
    const key = `${network} ${asset}`;
    const isFresh = this.#read !== undefined && nowMs - this.#readAtMs < maxAgeMs;
    if (!isFresh) {
      this.#readAtMs = nowMs;
      this.#read = this.totals().then((totals) => new Map(totals));
      this.#read.catch(() => {
        this.#read = undefined;
      });
    }
    const totals = await (this.#read ?? Promise.resolve(new Map<string, bigint>()));
    // A fresh reading has the hold in it already, for it was claimed before.
    const total = (totals.get(key) ?? 0n) + (isFresh ? amount : 0n);
    totals.set(key, total);
    return total;
  }
}
