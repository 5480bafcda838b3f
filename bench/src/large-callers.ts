import { get } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

/** Two callers that fetch one answer after the other until told to stop; then the number of answers is sent back. */
const { url, headers } = workerData as { url: string; headers: Record<string, string> };
let stopped = false;
let calls = 0;
parentPort?.once('message', () => {
  stopped = true;
});

async function fetchOne(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume();
      response.once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`a large call met a status of ${String(response.statusCode)}`));
      });
    }).once('error', reject);
  });
}

async function run(): Promise<void> {
  while (!stopped) {
    await fetchOne();
    calls += 1;
  }
}

await Promise.all([run(), run()]);
parentPort?.postMessage(calls);
