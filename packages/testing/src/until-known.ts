import { setTimeout as delay } from 'node:timers/promises';

const pauseMs = 50;
const longestMs = 30_000;

/** Repeats a request until it is answered by something else than 409 and 503. Rejects after half a minute. */
export async function untilKnown(ask: () => Promise<Response>): Promise<Response> {
  const deadline = performance.now() + longestMs;
  for (;;) {
    const response = await ask();
    if (response.status !== 409 && response.status !== 503) return response;
    if (performance.now() > deadline) {
      throw new Error(`still ${String(response.status)} after ${String(longestMs)} ms: ${await response.text()}`);
    }
    await response.body?.cancel();
    await delay(pauseMs);
  }
}
