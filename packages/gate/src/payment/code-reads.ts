const mostPayers = 10_000;
const maxAgeMs = 60_000;
const readsPerSecond = 20;

/**
 * Bounds what signatures cost that no key made: whether a payer has code is asked once a minute for each, and of all
 * payers together so often at most. Garbage signed for strangers then costs one read at first, and nothing after.
 */
export class CodeReads {
  readonly #codeless = new Map<string, number>();
  #budget = readsPerSecond;
  #filledAtMs = performance.now();

  /** Whether the payer is known to have no code, so that only its key can sign for it. */
  isCodeless(payer: string): boolean {
    return performance.now() - (this.#codeless.get(payer) ?? Number.NEGATIVE_INFINITY) < maxAgeMs;
  }

  /** Takes one read from the budget; false when it is spent. */
  spend(): boolean {
    const nowMs = performance.now();
    this.#budget = Math.min(readsPerSecond, this.#budget + ((nowMs - this.#filledAtMs) / 1_000) * readsPerSecond);
    this.#filledAtMs = nowMs;
    if (this.#budget < 1) return false;
    this.#budget -= 1;
    return true;
  }

  /** Remembers what was read. */
  learn(payer: string, hasCode: boolean): void {
    this.#codeless.delete(payer);
    if (hasCode) return;
    this.#codeless.set(payer, performance.now());
    const [oldest] = this.#codeless.keys();
    if (this.#codeless.size > mostPayers && oldest !== undefined) this.#codeless.delete(oldest);
  }
}
