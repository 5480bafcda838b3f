/** Stops something that a bench has started. */
export type Stop = () => Promise<void>;

/** What runs now, whoever started it, in the order in which it was started. */
const running = new Set<Stop>();
let isStopping = false;

/**
 * Starts a part of a bench. It is known from before it runs: a signal that comes meanwhile waits for it and stops it.
 * After a signal nothing is started any more: Error. Answers the part, and how it is stopped; stopping it twice is
 * once.
 */
export async function start<Part>(
  begin: () => Promise<Part>,
  end: (part: Part) => Promise<void>,
): Promise<[Part, Stop]> {
  if (isStopping) throw new Error('the bench is being stopped');
  const starting = begin();
  let stopping: Promise<void> | undefined;
  const stop: Stop = () => {
    stopping ??= starting.then(end).finally(() => running.delete(stop));
    return stopping;
  };
  running.add(stop);
  try {
    return [await starting, stop];
  } catch (error) {
    running.delete(stop);
    throw error;
  }
}

/** Stops everything, what was started last first; what cannot be stopped does not keep the rest. */
export async function stopAll(): Promise<void> {
  isStopping = true;
  for (const stop of [...running].toReversed()) await stop().catch((error: unknown) => console.error(error));
}
