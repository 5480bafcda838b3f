import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call of a JSON-RPC batch. */
export interface ProxiedCall {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the proxy gives instead of the node's answer to a call: an error object, or a result. */
type Instead = { readonly error: { code: number; message: string } } | { readonly result: unknown };

/** A node with a provider in front of it, which a test tells how to misbehave. */
export interface Proxy {
  readonly url: string;
  /** The batches that came, without the question for the chain id. */
  readonly batches: readonly (readonly ProxiedCall[])[];
  /** Answers the call itself when it returns something. */
  answer: (call: ProxiedCall) => Instead | undefined;
  /** Changes what goes back, for the whole batch; a lone call is a batch of one here. */
  rewrite: (answers: unknown[]) => unknown;
  /** Takes over the whole exchange when it returns true. */
  handle: (incoming: IncomingMessage, response: ServerResponse) => boolean;
  /** Back to passing everything on. */
  reset(): void;
  close(): Promise<void>;
}

/** Opens a proxy to a node at an http: URL. */
export async function openProxy(target: string): Promise<Proxy> {
  const batches: ProxiedCall[][] = [];
  const server = createServer((incoming, response) => {
    if (!proxy.handle(incoming, response)) void forward(incoming, response);
  });
  const proxy: Proxy = {
    url: await listen(server),
    batches,
    answer: () => undefined,
    rewrite: (answers) => answers,
    handle: () => false,
    reset: () => {
      proxy.answer = () => undefined;
      proxy.rewrite = (answers) => answers;
      proxy.handle = () => false;
      batches.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
  const forward = async (incoming: IncomingMessage, response: ServerResponse) => {
    const asked = JSON.parse(await textOf(incoming)) as ProxiedCall | ProxiedCall[];
    const calls = Array.isArray(asked) ? asked : [asked];
    batches.push(calls.filter(({ id }) => id !== 0));
    const answers = await Promise.all(
      calls.map(async (call) => {
        const instead = proxy.answer(call);
        return instead === undefined
          ? await ask(target, call)
          : Object.assign({ jsonrpc: '2.0', id: call.id }, instead);
      }),
    );
    const rewritten = proxy.rewrite(answers);
    const back = Array.isArray(asked) || !Array.isArray(rewritten) ? rewritten : (rewritten[0] as unknown);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(back));
  };
  return proxy;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
}

async function ask(target: string, call: ProxiedCall): Promise<unknown> {
  const post = request(target, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    post.once('response', resolve).once('error', reject);
  });
  post.end(JSON.stringify(call));
  return JSON.parse(await textOf(await answer));
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
