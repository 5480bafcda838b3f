import type { PaymentHold } from './call.js';

const maxAgeMs = 1_000;

/**
 * What all payers have open together, read once a second; what this process lets through meanwhile is added. Claims of
 * other processes within that second are not seen, nor own ones that came while it was read: so much may the limit be
 * passed by, at most.
 */
export class TotalExposure {
  /** Claimed, and in the database, but not let through yet: of those that come together the first ones pass. */
  readonly #undecided = new Set<PaymentHold>();
  #read: Promise<Map<string, bigint>> | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly totals: () => Promise<ReadonlyMap<string, bigint>>) {}

  /** Whether a claimed payment stays within `most`, in atomic units of its asset on its network, with all before it. */
  async fits(hold: PaymentHold, most: bigint): Promise<boolean> {
    this.#undecided.add(hold);
    try {
      const totals = await this.#current();
      const total = (totals.get(keyOf(hold)) ?? 0n) + hold.amount;
      if (total > most) return false;
      totals.set(keyOf(hold), total);
      return true;
    } finally {
      this.#undecided.delete(hold);
    }
  }

  #current(): Promise<Map<string, bigint>> {
    const nowMs = performance.now();
    if (this.#read !== undefined && nowMs - this.#readAtMs < maxAgeMs) return this.#read;
    this.#readAtMs = nowMs;
    const read = this.#readAll();
    this.#read = read;
    read.catch(() => {
      if (this.#read === read) this.#read = undefined;
    });
    return read;
  }

  /** What is open without the undecided, who are added one by one. Who came while it was read counts as in it. */
  async #readAll(): Promise<Map<string, bigint>> {
    const totals = new Map(await this.totals());
    for (const hold of this.#undecided) totals.set(keyOf(hold), (totals.get(keyOf(hold)) ?? 0n) - hold.amount);
    return totals;
  }
}

function keyOf({ network, asset }: PaymentHold): string {
  return `${network} ${asset}`;
}
