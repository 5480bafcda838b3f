import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { numberToHex } from 'viem';
import { createBatchSize } from './batch-size.js';
import { type Chain, ChainUnavailable, openChain } from './index.js';

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly string[];
}

/** How a node says that a batch is too large. */
type Refusal = (calls: readonly Call[], limit: number, response: ServerResponse) => void;

const complaint = (id: number | null, message: string) => ({ jsonrpc: '2.0', id, error: { code: -32_600, message } });
const send = (response: ServerResponse, status: number, value: unknown) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

const refusals: Record<string, Refusal> = {
  'an error object': (_, limit, response) =>
    send(response, 200, complaint(null, `batch limit ${String(limit)} exceeded`)),
  'an error object with status 500': (_, __, response) => send(response, 500, complaint(null, 'batch size too large')),
  'an error object without words': (_, __, response) => send(response, 200, complaint(null, 'Invalid request')),
  'HTTP 413': (_, __, response) => void response.writeHead(413).end('Payload Too Large'),
  'HTTP 400 and a web page': (_, __, response) => void response.writeHead(400).end('<h1>Bad Request</h1>'),
  'a list with one complaint, under the first id': (calls, _, response) =>
    send(response, 200, [complaint(calls[0]?.id ?? null, 'batch too large')]),
  'a list of complaints': (calls, _, response) =>
    send(
      response,
      200,
      calls.map(({ id }) => complaint(id, 'maximum batch size exceeded')),
    ),
  'the first answers and no others': (calls, limit, response) => send(response, 200, calls.slice(0, limit).map(answer)),
  'the first answers and complaints': (calls, limit, response) =>
    send(
      response,
      200,
      calls.map((call, index) => (index < limit ? answer(call) : complaint(call.id, 'response too large'))),
    ),
};

/** The count of an account is its address, so that a mixed up answer is seen. */
function answer({ id, method, params }: Call) {
  const result = method === 'eth_chainId' ? '0x14a34' : numberToHex(BigInt(params[0] ?? 0));
  return { jsonrpc: '2.0', id, result };
}

let server: Server;
let url: string;
let limit = 10;
let refuse: Refusal;
let sizes: number[] = [];
const opened: Chain[] = [];

beforeAll(async () => {
  server = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
});
beforeEach(() => {
  sizes = [];
});
afterEach(() => {
  for (const chain of opened.splice(0)) chain.close();
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
});

async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  const asked = JSON.parse(Buffer.concat(chunks).toString()) as Call | Call[];
  sizes.push(Array.isArray(asked) ? asked.length : 1);
  if (!Array.isArray(asked)) send(response, 200, answer(asked));
  else if (asked.length > limit) refuse(asked, limit, response);
  else send(response, 200, asked.map(answer));
}

function open(options: { maxBatchCalls?: number } = {}): Chain {
  const chain = openChain({ rpcUrl: url, chainId: 84_532, ...options });
  opened.push(chain);
  return chain;
}

async function thirtyCallers(chain: Chain): Promise<number[]> {
  const numbers = Array.from({ length: 30 }, (_, index) => index + 1);
  return await Promise.all(
    numbers.map(async (number) => await chain.transactionCount(numberToHex(number, { size: 20 }))),
  );
}

const expected = Array.from({ length: 30 }, (_, index) => index + 1);

describe.each(Object.keys(refusals))('a node that says by %s that a batch is too large', (way) => {
  it.each([10, 3, 2, 1, 0])('answers 30 callers at once when it takes %i calls at most', async (most) => {
    limit = most;
    refuse = refusals[way] as Refusal;
    const chain = open();
    expect(await thirtyCallers(chain)).toEqual(expected);
    sizes = [];
    expect(await thirtyCallers(chain)).toEqual(expected);
    expect(sizes.filter((size) => size > Math.max(1, most))).toEqual([]); // the size that works is remembered
    expect(await chain.transactionCount(numberToHex(7, { size: 20 }))).toBe(7);
    await chain.checkChainId();
  });
});

describe('a node that takes no batches', () => {
  it('is asked one by one from the start when a batch may hold one call', async () => {
    limit = 0;
    refuse = refusals['HTTP 413'] as Refusal;
    expect(await thirtyCallers(open({ maxBatchCalls: 1 }))).toEqual(expected);
    expect(new Set(sizes)).toEqual(new Set([1]));
  });

  it('is asked for its chain apart, and not believed when that is another one', async () => {
    limit = 0;
    refuse = refusals['an error object'] as Refusal;
    const chain = openChain({ rpcUrl: url, chainId: 8453, maxBatchCalls: 1 });
    opened.push(chain);
    await expect(chain.blockNumber()).rejects.toMatchObject({ kind: 'wrong-chain' });
  });
});

describe('a chain that was closed', () => {
  it('does not ask again what the node refused in between: the callers are told', async () => {
    limit = 0;
    const chain = open();
    refuse = (_, __, response) => {
      chain.close();
      send(response, 200, complaint(null, 'batch too large'));
    };
    await expect(chain.blockNumber()).rejects.toBeInstanceOf(ChainUnavailable);
    expect(sizes).toEqual([2]);
  });
});

describe('a node that limits the rate', () => {
  it('is not asked more often for it: the batch is refused, not split', async () => {
    limit = 0;
    refuse = (_, __, response) => send(response, 200, complaint(null, 'Too many requests, rate limit exceeded'));
    const results = await Promise.allSettled([open().blockNumber(), open().blockNumber()]);
    for (const result of results) {
      expect(result.status === 'rejected' && result.reason).toBeInstanceOf(ChainUnavailable);
    }
    expect(sizes).toEqual([2, 2]);
  });
});

describe('the size of a batch', () => {
  it('halves until it works, is kept, grows slowly, and falls back to what worked', () => {
    const size = createBatchSize(300);
    for (const tried of [300, 150, 75, 37, 18]) size.refused(tried);
    expect(size.current).toBe(9);
    for (let request = 0; request < 499; request += 1) size.answered(9);
    expect(size.current).toBe(9);
    size.answered(9);
    expect(size.current).toBe(10);
    size.refused(10);
    expect(size.current).toBe(9);
  });

  it('is what it was when not even a lone call is answered: then the node is down', () => {
    const size = createBatchSize(8);
    for (const tried of [8, 4, 2]) size.refused(tried);
    expect(size.current).toBe(1);
    size.failed();
    expect(size.current).toBe(8);
  });
});
