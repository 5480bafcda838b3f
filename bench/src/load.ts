import autocannon from 'autocannon';
import { cpuMicroseconds } from './cpu.js';

/** What a run under load cost and gave. */
export interface Figures {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU microseconds for each served call. */
  readonly cpuUs: number;
  readonly cpuApiUs: number;
  readonly cpuPostgresUs: number;
  readonly cpuChainUs: number;
  readonly calls: number;
}

export interface LoadSettings {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A fresh header for each request, where they must differ; null when there are no more. */
  readonly nextHeaders?: () => Record<string, string> | null;
  readonly connections: number;
  readonly seconds: number;
  /** So many requests instead of so many seconds. */
  readonly amount?: number;
  readonly pids: { readonly api: number; readonly postgres?: number; readonly chain?: number };
}

/** Runs the load from this process and reads what the others used meanwhile. Any answer but 200 is an error. */
export async function underLoad(settings: LoadSettings): Promise<Figures> {
  const { pids, nextHeaders } = settings;
  const names = ['api', 'postgres', 'chain'] as const;
  const before = names.map((name) => cpu(pids[name]));
  const result = await autocannon({
    url: settings.url,
    connections: settings.connections,
    ...(settings.amount === undefined ? { duration: settings.seconds } : { amount: settings.amount }),
    ...(settings.headers === undefined ? {} : { headers: settings.headers }),
    ...(nextHeaders === undefined
      ? {}
      : {
          requests: [
            { setupRequest: (request) => ({ ...request, headers: { ...request.headers, ...nextHeaders() } }) },
          ],
        }),
  });
  const used = names.map((name, index) => cpu(pids[name]) - (before[index] ?? 0));
  const calls = result['2xx'];
  if (calls === 0 || result.non2xx > 0 || result.errors > 0) {
    throw new Error(`the load met ${result.non2xx} refusals and ${result.errors} errors in ${calls} calls`);
  }
  const [api = 0, postgres = 0, chain = 0] = used.map((microseconds) => microseconds / calls);
  return {
    requestsPerSecond: calls / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    cpuUs: api + postgres,
    cpuApiUs: api,
    cpuPostgresUs: postgres,
    cpuChainUs: chain,
    calls,
  };
}

function cpu(pid: number | undefined): number {
  return pid === undefined ? 0 : cpuMicroseconds(pid);
}

/** Of two rounds apart in time the one that used less CPU: a neighbor only adds. */
export function better(rounds: readonly Figures[]): Figures {
  const [best] = rounds.toSorted((a, b) => a.cpuUs - b.cpuUs);
  if (best === undefined) throw new Error('no round was run');
  return best;
}

/** Calls before anything is measured, so that V8 has compiled what it will compile. */
export const warmUpCalls = 15_000;
