/** An eighth of a block's time is waited for too long at most, and a block is asked for some eight times. */
const questionsPerBlock = 8;

/**
 * When to ask the node for the number of its newest block: by the pace at which blocks came so far. What waits for a
 * block needs no other question, however many wait. Times are those of a monotonic clock.
 */
export class BlockPace {
  #number = -1n;
  #movedAtMs = 0;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #blockMs = 0;
  #isFirst = true;

  constructor(
    private readonly shortestMs: number,
    private readonly longestMs: number,
  ) {}

  /** Begins anew after a time without questions, which says nothing of the pace. */
  restart(nowMs: number): void {
    this.#movedAtMs = nowMs;
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
    this.#isFirst = true;
  }

  /** How long to wait with the next question; 0 when it is due. */
  pauseMs(nowMs: number): number {
    // A block that does not come says that blocks take at least so long.
    const blockMs = Math.max(this.#blockMs, nowMs - this.#movedAtMs);
    const pauseMs = Math.min(Math.max(blockMs / questionsPerBlock, this.shortestMs), this.longestMs);
    return Math.max(0, this.#askedAtMs + pauseMs - nowMs);
  }

  /** Takes the node's answer. True when it is another block than the last. */
  saw(number: bigint, nowMs: number): boolean {
    this.#askedAtMs = nowMs;
    if (number === this.#number) return false;
    if (!this.#isFirst) {
      const blocks = number > this.#number ? Number(number - this.#number) : 1;
      const blockMs = (nowMs - this.#movedAtMs) / blocks;
      this.#blockMs = this.#blockMs === 0 ? blockMs : (this.#blockMs * 3 + blockMs) / 4;
    }
    this.#isFirst = false;
    this.#movedAtMs = nowMs;
    this.#number = number;
    return true;
  }
}
