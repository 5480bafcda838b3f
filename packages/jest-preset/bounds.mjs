// jest-light-runner has no timeouts of its own, and a test that hangs would hang the run without a name.
import { addEventHandler, getState } from 'jest-circus';

// A bound for what hangs, not a measure: starting a program takes many seconds on a busy machine. What a test asks for
// counts where it is more.
const leastMs = 120_000;

addEventHandler(({ name }) => {
  const { currentDescribeBlock } = getState();
  if (name === 'add_hook') bound(currentDescribeBlock.hooks.at(-1));
  if (name === 'add_test') bound(currentDescribeBlock.children.at(-1));
});

function bound(entry) {
  const { fn, asyncError } = entry;
  if (fn === undefined) return;
  const timeout = Math.max(entry.timeout ?? 0, leastMs);
  entry.fn = async () => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        asyncError.message = `Not finished after ${timeout} ms`;
        reject(asyncError);
      }, timeout);
    });
    try {
      await Promise.race([fn(), late]);
    } catch (error) {
      throw withCauses(error);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** The runner shows a stack only: a property that failed, or a query, says why by the cause of its error. */
function withCauses(error) {
  for (let cause = error?.cause; cause instanceof Error && typeof error.stack === 'string'; cause = cause.cause) {
    error.stack += `\nCaused by: ${cause.stack ?? cause.message}`;
  }
  return error;
}
