/** How many calls to put into one HTTP request, the question for the chain id included; 1: no batches at all. */
export interface BatchSize {
  readonly current: number;
  /** A request of `count` calls was answered. */
  answered(count: number): void;
  /** A request of `count` calls was refused for its size; `taken` of them were answered all the same. */
  refused(count: number, taken?: number): void;
  /** Not even a lone call was answered: the node is at fault, not the size. */
  failed(): void;
}

/** Full requests answered before the size is tried a little larger: each trial may cost a refused request. */
const growAfter = 500;

/**
 * Finds what a node takes, at most `max`. A refusal halves the size, and the halved size is kept once a request of that
 * size was answered; it grows again by an eighth after 500 full requests, back to what worked when that is refused.
 */
export function createBatchSize(max: number): BatchSize {
  let current = max;
  let proven = max;
  let inARow = 0;
  return {
    get current() {
      return current;
    },
    answered: (count) => {
      if (current < proven || count === current) proven = current;
      if (count < current || current === max) return;
      inARow += 1;
      if (inARow < growAfter) return;
      inARow = 0;
      current = Math.min(max, current + Math.max(1, current >> 3));
    },
    refused: (count, taken = 0) => {
      inARow = 0;
      const smaller = taken || (proven < count ? proven : Math.max(1, Math.floor(count / 2)));
      // Requests of the former size may still be on their way when the first of them is refused.
      if (smaller < current) current = smaller;
    },
    failed: () => {
      current = proven;
    },
  };
}
