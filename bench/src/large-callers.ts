import { get } from 'node:http';

/** Two callers that fetch one answer after the other until told to stop; then the number of answers is sent back. */
const url = process.env['LARGE_URL'] ?? '';
const headers = { authorization: process.env['LARGE_AUTHORIZATION'] ?? '' };
const stop = new AbortController();
let calls = 0;
process.once('message', () => {
  stop.abort();
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
  while (!stop.signal.aborted) {
    await fetchOne();
    calls += 1;
  }
}

await Promise.all([run(), run()]);
process.send?.(calls, () => process.disconnect());
