import { request } from 'node:http';
import { connect } from 'node:net';

/** The node's answer was an error. */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    readonly method: string,
    readonly code: number,
    message: string,
  ) {
    super(`${method}: ${message}`);
  }
}

const timeoutMs = 60_000;

/** Calls a node at an http: URL on a connection of its own. Throws `RpcError`, or what kept the node from answering. */
export async function callRpc(rpcUrl: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const text = await new Promise<string>((resolve, reject) => {
    const post = request(rpcUrl, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } });
    post.setTimeout(timeoutMs, () => post.destroy(new Error(`${method}: no answer in ${String(timeoutMs)} ms`)));
    post.once('error', reject);
    post.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => resolve(body));
      response.once('error', reject);
    });
    post.end(encode(method, params));
  });
  return decode(method, text);
}

/** Calls a node at its own Unix socket: whoever answers there is the process that made the socket. */
export async function callIpc(path: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(path, () => socket.write(`${encode(method, params)}\n`));
    let body = '';
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${method}: no answer in ${String(timeoutMs)} ms`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${method}: the node closed the connection`)));
    socket.on('data', (chunk: string) => {
      body += chunk;
      if (!body.endsWith('\n')) return;
      resolve(body);
      socket.destroy();
    });
  });
  return decode(method, text);
}

function encode(method: string, params: readonly unknown[]): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
}

function decode(method: string, text: string): unknown {
  const answer = JSON.parse(text) as { result?: unknown; error?: { code?: number; message?: string } };
  if (answer.error) throw new RpcError(method, answer.error.code ?? 0, answer.error.message ?? 'no message');
  return answer.result;
}
