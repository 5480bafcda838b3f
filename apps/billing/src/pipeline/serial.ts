/** Runs pieces of work one after the other, whoever brings them. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** The outcome of `work`, which starts when all earlier work has ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#last.then(work);
    this.#last = running.catch(() => undefined);
    return running;
  }
}
