/** A change that can be taken back. */
type Undo = () => void;

/**
 * What the chain keeps: numbers by name, and in which block each came to be. A reader may ask for the value at a block.
 * What a reverted call wrote is taken back.
 */
export class ChainState {
  readonly #values = new Map<string, { readonly block: number; readonly value: bigint }[]>();
  #written: Undo[] = [];

  /** The value at the end of a block, by default now. 0 when nothing was written. */
  read(name: string, block = Number.POSITIVE_INFINITY): bigint {
    return this.#values.get(name)?.findLast((entry) => entry.block <= block)?.value ?? 0n;
  }

  write(name: string, value: bigint, block: number): void {
    const entries = this.#values.get(name) ?? [];
    this.#values.set(name, entries);
    entries.push({ block, value });
    this.#written.push(() => void entries.pop());
  }

  /** Runs `work` and takes back what it wrote when it throws, or in any case when it was only tried. */
  attempt<T>(work: () => T, isTried = false): T {
    const outer = this.#written;
    this.#written = [];
    let isKept = false;
    try {
      const result = work();
      isKept = !isTried;
      return result;
    } finally {
      if (isKept) outer.push(...this.#written);
      else for (const undo of this.#written.toReversed()) undo();
      this.#written = outer;
    }
  }

  /** Nothing that was written before can be taken back any more. */
  keep(): void {
    this.#written = [];
  }
}
