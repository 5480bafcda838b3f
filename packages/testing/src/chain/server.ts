import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NotPlayed, RpcFault } from './fault.js';
import type { Ledger } from './ledger.js';
import { answerMethod } from './methods.js';

/** A node on loopback. */
export interface NodeServer {
  readonly url: string;
  /** While true, requests are cut off without an answer. */
  isAway: boolean;
  close(): Promise<void>;
}

const maxBodyBytes = 10_000_000;

/** Serves the chain as JSON-RPC 2.0 over HTTP, batches included, at a free port of 127.0.0.1. */
export async function serveChain(ledger: Ledger): Promise<NodeServer> {
  const told = new Set<string>();
  const server = createServer((request, response) => {
    if (node.isAway) request.socket.destroy();
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBodyBytes) request.destroy();
      chunks.push(chunk);
    });
    const reply = async (): Promise<void> => {
      const text = await answerBody(ledger, Buffer.concat(chunks).toString('utf8'), told);
      if (node.isAway) request.socket.destroy();
      else response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    };
    request.on('end', () => void reply());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const node: NodeServer = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    isAway: false,
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
  server.unref();
  return node;
}

async function answerBody(ledger: Ledger, body: string, told: Set<string>): Promise<string> {
  let asked: unknown;
  try {
    asked = JSON.parse(body);
  } catch {
    return JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32_700, message: 'parse error' } });
  }
  if (!Array.isArray(asked)) return JSON.stringify(await answer(ledger, asked, told));
  const answers: object[] = [];
  for (const one of asked) answers.push(await answer(ledger, one, told)); // in their order: they change the chain
  return JSON.stringify(answers);
}

async function answer(ledger: Ledger, asked: unknown, told: Set<string>): Promise<object> {
  const { id = null, method, params = [] } = (asked ?? {}) as { id?: unknown; method?: unknown; params?: unknown };
  try {
    if (typeof method !== 'string' || !Array.isArray(params)) throw new RpcFault(-32_600, 'invalid request');
    return { jsonrpc: '2.0', id, result: await answerMethod(ledger, method, params) };
  } catch (error) {
    if (error instanceof NotPlayed && !told.has(error.message)) {
      told.add(error.message);
      process.stderr.write(`@keyfare/testing: ${error.message}\n`);
    }
    const { code, message, data } = error instanceof RpcFault ? error : new RpcFault(-32_603, String(error));
    return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } };
  }
}
