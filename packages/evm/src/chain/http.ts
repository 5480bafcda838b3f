import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { ChainUnavailable } from './errors.js';

/** Where and how to reach the node. */
export interface Endpoint {
  /** http: or https:, credentials in it are sent as Basic authentication. */
  readonly rpcUrl: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For one exchange with the node, connection included. */
  readonly timeoutMs: number;
  /** Connections at once. */
  readonly maxConnections: number;
}

/** Sends a JSON text and gives the body of the answer, whatever its status says. */
export interface Transport {
  post(body: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Closes the idle connections. */
  close(): void;
}

const maxBodyLength = 64 * 1024 * 1024;

/** Opens no connection yet: the first call does. Throws `TypeError` for a URL that is none. */
export function createTransport(endpoint: Endpoint): Transport {
  // The platform's own error holds the text, and that may hold a key.
  const url = URL.canParse(endpoint.rpcUrl) ? new URL(endpoint.rpcUrl) : null;
  const secure = url?.protocol === 'https:';
  if (url === null || (!secure && url.protocol !== 'http:')) {
    throw new TypeError('the node must have an http: or https: URL');
  }
  const settings = { keepAlive: true, maxSockets: endpoint.maxConnections };
  const agent = secure ? new HttpsAgent(settings) : new HttpAgent(settings);
  const send = secure ? httpsRequest : httpRequest;
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...endpoint.headers };
  const options = { method: 'POST', agent, headers };
  const attempt = async (body: string) => {
    const length = { 'content-length': Buffer.byteLength(body) };
    return await exchange(send(url, { ...options, headers: { ...headers, ...length } }), body, endpoint.timeoutMs);
  };
  let closed = false;
  return {
    post: async (body) => {
      try {
        return await attempt(body);
      } catch (error) {
        // The node closed the kept connection as we wrote to it (RFC 9112, 9.5). Every call here may be repeated:
        // reads, and transactions whose bytes are the same.
        if (error instanceof StaleConnection && !closed) return await attempt(body);
        throw error;
      }
    },
    close: () => {
      closed = true;
      agent.destroy();
    },
  };
}

class StaleConnection extends ChainUnavailable {}

async function exchange(
  request: ClientRequest,
  body: string,
  timeoutMs: number,
): Promise<{ status: number; body: string }> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    request.destroy();
  }, timeoutMs);
  try {
    request.end(body);
    const response = await untilResponse(request);
    return { status: response.statusCode ?? 0, body: await readBody(response) };
  } catch (error) {
    if (late) throw new ChainUnavailable(`the node did not answer in ${String(timeoutMs)} ms`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function untilResponse(request: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? error.message;
      const words = `the node cannot be reached (${code})`;
      const stale = request.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
      reject(stale ? new StaleConnection(words, { cause: error }) : new ChainUnavailable(words, { cause: error }));
    });
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBodyLength) throw new ChainUnavailable('the answer of the node is too large');
    }
  } catch (error) {
    if (error instanceof ChainUnavailable) throw error;
    throw new ChainUnavailable('the node broke off its answer', { cause: error }); // half an answer is none
  }
  return Buffer.concat(chunks, length).toString('utf8');
}
