import { Pool } from 'undici';

/** Latencies of calls at a fixed arrival rate. */
export interface ArrivalFigures {
  readonly ratePerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly calls: number;
}

export interface ArrivalSettings {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Calls a second. They are sent whether or not earlier ones are answered. */
  readonly ratePerSecond: number;
  readonly seconds: number;
}

const maxConnections = 256;
/** Connections are opened in a time that is not measured: libuv accepts one in each turn of its loop. */
const warmUpSeconds = 2;

/**
 * Sends calls at a constant rate and measures each from the moment it was due, so that a server that stalls is charged
 * for every call that it kept waiting (no coordinated omission). Any answer but 200 is an error.
 */
export async function atRate({ url, headers = {}, ratePerSecond, seconds }: ArrivalSettings): Promise<ArrivalFigures> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: maxConnections, pipelining: 1 });
  const unmeasured = Math.round(ratePerSecond * warmUpSeconds);
  const total = unmeasured + Math.max(1, Math.round(ratePerSecond * seconds));
  const startedAt = performance.now();
  const calls: Promise<number>[] = [];
  while (calls.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) * ratePerSecond) / 1_000) + 1);
    while (calls.length < due) {
      const dueAt = startedAt + (calls.length * 1_000) / ratePerSecond;
      const call = timed({ pool, path: pathname, headers, dueAt });
      call.catch(() => undefined);
      calls.push(call);
    }
    await new Promise((wake) => setTimeout(wake, 1));
  }
  const latencies = (await Promise.all(calls)).slice(unmeasured).toSorted((a, b) => a - b);
  await pool.close();
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { ratePerSecond, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), calls: latencies.length };
}

interface TimedCall {
  readonly pool: Pool;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dueAt: number;
}

/** By undici's lowest interface: what the load costs by itself is time that the server does not get. */
async function timed({ pool, path, headers, dueAt }: TimedCall): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0;
    pool.dispatch(
      { method: 'GET', path, headers },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, statusCode) => {
          status = statusCode;
        },
        onResponseEnd: () => {
          if (status === 200) resolve(performance.now() - dueAt);
          else reject(new Error(`the load met a status of ${String(status)}`));
        },
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}
