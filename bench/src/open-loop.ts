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
  /** Headers of one call after the other, where they must differ. */
  readonly headersInTurn?: readonly Readonly<Record<string, string>>[];
  /** Whether the calls are to be refused, with any status but 2xx or 500. Else each must be a 200. */
  readonly areRefused?: boolean;
  /** Calls a second. They are sent whether or not earlier ones are answered. */
  readonly ratePerSecond: number;
  readonly seconds: number;
}

const maxConnections = 256;
/** Connections are opened in a time that is not measured: libuv accepts one in each turn of its loop. */
const warmUpSeconds = 2;

/**
 * Sends calls at a constant rate and measures each from the moment it was due, so that a server that stalls is charged
 * for every call that it kept waiting (no coordinated omission). Any answer of another kind than was expected is an
 * error.
 */
export async function atRate(settings: ArrivalSettings): Promise<ArrivalFigures> {
  const { url, headers = {}, headersInTurn, areRefused = false, ratePerSecond, seconds } = settings;
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
      const own = headersInTurn?.[calls.length % headersInTurn.length] ?? headers;
      const call = timed({ pool, path: pathname, headers: own, dueAt, areRefused });
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
  readonly areRefused: boolean;
}

/** By undici's lowest interface: what the load costs by itself is time that the server does not get. */
async function timed({ pool, path, headers, dueAt, areRefused }: TimedCall): Promise<number> {
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
          const isExpected = areRefused ? status >= 300 && status !== 500 : status === 200;
          if (isExpected) resolve(performance.now() - dueAt);
          else reject(new Error(`the load met a status of ${String(status)}`));
        },
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}
