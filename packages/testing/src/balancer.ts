import {
  Agent,
  createServer,
  get,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A load balancer as deployments have one: in turns, to backends whose /readyz says 200, over kept-alive connections. */
export interface Balancer {
  readonly url: string;
  /** Adds a backend; resolves when it is ready, and gets its share of the calls. */
  add(url: string): Promise<void>;
  /** Resolves when a backend says that it is not ready, and gets no more calls. */
  untilLeft(url: string): Promise<void>;
  /** Forgets a backend. */
  remove(url: string): void;
  close(): Promise<void>;
}

interface Backend {
  readonly url: string;
  isReady: boolean;
}

const askEveryMs = 50;

/**
 * Opens a balancer. It repeats nothing: a call whose backend breaks is answered 502, so what a backend does wrong is seen.
 */
export async function openBalancer(): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true });
  const backends = new Map<string, Backend>();
  const waiting = new Map<string, () => void>();
  let turn = 0;
  const server = createServer((incoming, response) => {
    const ready = [...backends.values()].filter(({ isReady }) => isReady);
    turn += 1;
    forward(incoming, response, { agent, url: ready[turn % ready.length]?.url });
  });
  const asking = setInterval(() => {
    for (const backend of backends.values()) {
      void look(backend, waiting);
    }
  }, askEveryMs);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    add: async (url) =>
      new Promise((resolve) => {
        waiting.set(url, resolve);
        backends.set(url, { url, isReady: false });
      }),
    untilLeft: async (url) => {
      while (backends.get(url)?.isReady === true) await new Promise((wake) => setTimeout(wake, askEveryMs));
    },
    remove: (url) => void backends.delete(url),
    close: async () => {
      clearInterval(asking);
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

async function look(backend: Backend, waiting: ReadonlyMap<string, () => void>): Promise<void> {
  backend.isReady = await saysReady(backend.url);
  if (backend.isReady) waiting.get(backend.url)?.();
}

async function saysReady(url: string): Promise<boolean> {
  return await new Promise((resolve) => {
    get(`${url}/readyz`, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).on('error', () => resolve(false));
  });
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  { agent, url }: { readonly agent: Agent; readonly url: string | undefined },
): void {
  const fail = (why: string): void => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end(why);
  };
  if (url === undefined) {
    fail('no backend is ready');
    return;
  }
  const headers = withoutHop(incoming.headers);
  const onward = request(`${url}${incoming.url ?? '/'}`, { agent, headers, method: incoming.method });
  onward.on('error', (error) => fail(`${url}: ${error.message}`));
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, withoutHop(answer.headers));
    answer.on('error', (error) => fail(`${url}: ${error.message}`));
    answer.pipe(response);
  });
  incoming.pipe(onward);
}

/** What belongs to one connection does not go on to the next (RFC 9110 §7.6.1). */
function withoutHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const hop = new Set(['connection', 'keep-alive', 'host']);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hop.has(name)));
}
