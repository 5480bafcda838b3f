import { createServer, type Socket } from 'node:net';
import { callRpc, type LocalChain, startChain } from '@keyfare/devstack/chain';
import { testPayer } from '@keyfare/devstack/payers';
import { choosePort } from '@keyfare/devstack/ports';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import * as fc from 'fast-check';
import { payTo, usdc } from '../../test/bench.js';
import { type Chain, ChainError, type ChainOptions, ChainUnavailable, openChain } from './index.js';

let node: LocalChain;
let proxy: Proxy;
const opened: Chain[] = [];

beforeAll(async () => {
  node = await startTestChain();
  proxy = await openProxy(node.rpcUrl);
});
afterEach(() => {
  for (const chain of opened.splice(0)) chain.close();
  proxy.reset();
});
afterAll(async () => {
  await proxy.close();
  await node.kill();
});

function open(options: Partial<ChainOptions> = {}): Chain {
  const chain = openChain({ rpcUrl: proxy.url, chainId: 84_532, ...options });
  opened.push(chain);
  return chain;
}

/** Every method of the chain, called once. */
function callAll(chain: Chain): Promise<unknown>[] {
  const payer = testPayer(1).address;
  const nonce = `0x${'00'.repeat(32)}` as const;
  const authorization = { from: payer, to: payTo, value: 1n, validAfter: 0n, validBefore: 1n, nonce };
  return [
    chain.readPayer({ asset: usdc, payer, nonce }),
    chain.simulateTransfer({ asset: usdc, authorization, signature: '0x' }),
    chain.blockNumber(),
    chain.checkChainId(),
    chain.fees(),
    chain.transactionCount(payer),
    chain.etherBalance(payer),
    chain.receipts([nonce]),
    chain.broadcast(['0x02']),
    chain.findAuthorizationUse({ asset: usdc, authorizer: payer, nonce, fromBlock: 0n }),
  ];
}

async function failures(chain: Chain): Promise<unknown[]> {
  const results = await Promise.allSettled(callAll(chain));
  return results.map((result) => (result.status === 'rejected' ? result.reason : result.value));
}

describe('calls made in one turn of the event loop', () => {
  it('go in one HTTP request, and equal ones are asked once', async () => {
    const chain = open();
    const [one, two] = [testPayer(1).address, testPayer(2).address];
    const nonce = `0x${'01'.repeat(32)}` as const;
    await Promise.all([
      chain.readPayer({ asset: usdc, payer: one, nonce }),
      chain.readPayer({ asset: usdc, payer: one, nonce }),
      chain.readPayer({ asset: usdc, payer: two, nonce }),
      Promise.resolve().then(async () => await chain.blockNumber()),
    ]);
    expect(proxy.batches).toHaveLength(1);
    expect(proxy.batches[0]).toHaveLength(7);
  });

  it('go in several requests when there are more than a batch may hold, in their order', async () => {
    const chain = open({ maxBatchCalls: 5 });
    const counts = await Promise.all(
      Array.from({ length: 10 }, async (_, index) => await chain.transactionCount(testPayer(index).address)),
    );
    expect(counts).toHaveLength(10);
    expect(proxy.batches.map((batch) => batch.length)).toEqual([4, 4, 2]);
  });

  it('gather while all connections are busy', async () => {
    const chain = open({ maxConnections: 1 });
    const first = chain.blockNumber();
    await new Promise(setImmediate);
    const rest = Array.from({ length: 5 }, async (_, index) => {
      await new Promise(setImmediate);
      for (let turn = 0; turn < index; turn += 1) await new Promise(setImmediate);
      return await chain.etherBalance(testPayer(index).address);
    });
    await Promise.all([first, ...rest]);
    expect(proxy.batches.length).toBeLessThan(6);
    expect(proxy.batches.flat()).toHaveLength(6);
  });

  it('are matched with their answers by id, in whatever order these come', async () => {
    proxy.rewrite = (answers) => answers.toReversed();
    const chain = open();
    await callRpc(node.rpcUrl, 'anvil_setBalance', [payTo, '0x7b']);
    expect(await Promise.all([chain.etherBalance(payTo), chain.blockNumber(), chain.transactionCount(payTo)])).toEqual([
      123n,
      0n,
      0,
    ]);
  });
});

describe('a node of another chain', () => {
  it('gets no answer believed, from the first call on', async () => {
    const chain = open({ chainId: 8453 });
    for (const failure of await failures(chain)) {
      expect(failure).toBeInstanceOf(ChainError);
      expect(failure).toMatchObject({ kind: 'wrong-chain', message: 'the node serves chain 84532, not 8453' });
    }
  });

  it('is noticed when it takes the place of the right one', async () => {
    const chain = open();
    await chain.checkChainId();
    proxy.answer = ({ method }) => (method === 'eth_chainId' ? { result: '0x1' } : undefined);
    for (const failure of await failures(chain)) expect(failure).toMatchObject({ kind: 'wrong-chain' });
    proxy.reset();
    await chain.checkChainId();
  });
});

describe('a node that gives no answer', () => {
  const ways: Record<string, (proxied: Proxy) => void> = {
    'answers 500': ({ url }) => {
      proxy.handle = (_, response) => Boolean(response.writeHead(500).end(`broken at ${url}`));
    },
    'answers 500 with JSON': () => {
      proxy.handle = (_, response) => Boolean(response.writeHead(503).end('[]'));
    },
    'answers 429': () => {
      proxy.handle = (_, response) => Boolean(response.writeHead(429).end('[]'));
    },
    'answers 200 with a web page': () => {
      proxy.handle = (_, response) => Boolean(response.end('<html>login</html>'));
    },
    'answers with one error for the batch': () => {
      proxy.rewrite = () => ({ jsonrpc: '2.0', id: null, error: { code: -32_600, message: 'batch too large' } });
    },
    'answers with an empty list': () => {
      proxy.rewrite = () => [];
    },
    'leaves all but the chain id out': () => {
      proxy.rewrite = (answers) => (answers as { id: number }[]).filter(({ id }) => id === 0);
    },
    'answers with neither result nor error': () => {
      proxy.rewrite = (answers) => (answers as { id: number }[]).map(({ id }) => (id === 0 ? answers[0] : { id }));
    },
    'breaks off in the middle': () => {
      proxy.handle = (_, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('[{"id":0,');
        setImmediate(() => response.destroy());
        return true;
      };
    },
    'closes the connection': () => {
      proxy.handle = (incoming) => Boolean(incoming.socket.destroy());
    },
    'limits the rate of each call': () => {
      proxy.answer = ({ method }) =>
        method === 'eth_chainId' ? undefined : { error: { code: -32_005, message: 'rate limit exceeded' } };
    },
    'sends results of the wrong kind': () => {
      proxy.answer = ({ method }) => (method === 'eth_chainId' ? undefined : { result: { surprise: [1] } });
    },
    'sends null for everything': () => {
      proxy.answer = ({ method }) =>
        method === 'eth_chainId' || method === 'eth_getTransactionReceipt' ? undefined : { result: null };
    },
  };

  it.each(Object.keys(ways))('is unavailable, and nothing is taken for an answer: it %s', async (way) => {
    ways[way]?.(proxy);
    const results = await failures(open());
    const answers = results.filter((result) => !(result instanceof ChainUnavailable));
    // A null receipt is an answer, a throttled transaction has an outcome, and the chain id was never withheld.
    expect(answers.filter((answer) => answer instanceof Error)).toEqual([]);
    expect(answers.length).toBeLessThanOrEqual(3);
    for (const result of results) expect(String(result)).not.toContain(proxy.url);
  });

  it('is unavailable when nobody listens, and when it does not answer in time', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const nobody = await choosePort();
    for (const [at, timeoutMs, words] of [
      [port, 50, 'the node did not answer in 50 ms'],
      [nobody, 10_000, 'the node cannot be reached (ECONNREFUSED)'],
    ] as const) {
      const chain = open({ rpcUrl: `http://127.0.0.1:${String(at)}/v2/secret-key`, timeoutMs });
      for (const failure of await failures(chain)) {
        expect(failure).toBeInstanceOf(ChainUnavailable);
        expect(failure).toMatchObject({ message: words });
      }
    }
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => void silent.close(resolve));
  });

  it('is unavailable when it stops in the middle of its answer', async () => {
    proxy.handle = (_, response) => response.writeHead(200, { 'content-length': 1000 }).write('[{"id":0,');
    const chain = open({ timeoutMs: 1_000 });
    for (let round = 0; round < 2; round += 1) {
      await expect(chain.blockNumber()).rejects.toMatchObject({
        name: 'ChainUnavailable',
        message: 'the node did not answer in 1000 ms',
      });
    }
    proxy.reset();
    expect(await chain.blockNumber()).toBe(0n);
  });

  it('is asked again after it was frozen, killed and restarted: nothing of a failure is kept', async () => {
    const port = await choosePort();
    let local = await startChain({ port });
    const chain = open({ rpcUrl: local.rpcUrl, timeoutMs: 2_000 });
    expect(await chain.blockNumber()).toBe(0n);
    await local.pause();
    await expect(chain.blockNumber()).rejects.toBeInstanceOf(ChainUnavailable);
    await expect(chain.fees()).rejects.toBeInstanceOf(ChainUnavailable);
    local.resume();
    while ((await chain.fees().catch(() => null)) === null) await new Promise(setImmediate);
    await local.kill();
    await expect(chain.blockNumber()).rejects.toBeInstanceOf(ChainUnavailable);
    local = await startChain({ port });
    expect(await chain.blockNumber()).toBe(0n);
    await local.kill();
  });

  it('costs nothing when it only closed a kept connection: the call is sent again', async () => {
    const chain = open({ maxConnections: 1 });
    await chain.blockNumber();
    let closed = 0;
    proxy.handle = (incoming) => {
      closed += 1;
      if (closed === 1) incoming.socket.destroy();
      return closed === 1;
    };
    expect(await chain.blockNumber()).toBe(0n);
    expect(closed).toBe(2);
  });

  it('does not keep callers waiting behind a queue for ever', async () => {
    const chain = open({ maxConnections: 1, timeoutMs: 50 });
    proxy.handle = () => true; // takes everything, answers nothing
    const first = chain.blockNumber();
    await new Promise(setImmediate);
    const second = chain.etherBalance(payTo);
    await expect(first).rejects.toBeInstanceOf(ChainUnavailable);
    await expect(second).rejects.toBeInstanceOf(ChainUnavailable);
  });
});

describe('openChain', () => {
  it('speaks to nobody, and refuses a URL that is none', () => {
    open({ rpcUrl: 'http://127.0.0.1:1/' });
    for (const rpcUrl of ['nonsense', 'ws://127.0.0.1/', 'file:///etc/passwd']) {
      expect(() => openChain({ rpcUrl, chainId: 1 })).toThrow(TypeError);
    }
  });

  it('sends the headers that a provider wants', async () => {
    const seen: unknown[] = [];
    proxy.handle = (incoming) => {
      seen.push(incoming.headers['x-api-key']);
      return false;
    };
    await open({ headers: { 'x-api-key': 'k' } }).blockNumber();
    expect(seen).toEqual(['k']);
  });

  it('lets nothing that a caller gives reach another caller’s batch', async () => {
    const chain = open();
    const evil = `0x00"],"id":9}` as `0x${string}`;
    const fine = chain.etherBalance(payTo);
    await expect(chain.etherBalance(evil)).rejects.toThrow(TypeError);
    await expect(chain.transactionCount(evil)).rejects.toThrow(TypeError);
    await expect(chain.readPayer({ asset: evil, payer: payTo, nonce: `0x${'00'.repeat(32)}` })).rejects.toThrow(
      TypeError,
    );
    await expect(chain.readPayer({ asset: usdc, payer: payTo, nonce: evil })).rejects.toThrow(TypeError);
    await expect(chain.receipts([evil])).rejects.toThrow(ChainUnavailable);
    expect(await fine).toBe(123n);
  });

  it('rejects waiting calls when it is closed', async () => {
    const chain = open();
    const waiting = chain.blockNumber();
    chain.close();
    await expect(waiting).rejects.toBeInstanceOf(ChainUnavailable);
  });
});

describe('whatever bytes a node sends', () => {
  it('are an answer, or one of the two errors: never another', async () => {
    let body = '';
    proxy.handle = (_, response) => Boolean(response.end(body));
    const chain = open();
    const answer = fc.record(
      { id: fc.nat({ max: 30 }), result: fc.jsonValue(), error: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const bodies = fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(answer, { maxLength: 30 }).map((answers) => JSON.stringify([{ id: 0, result: '0x14a34' }, ...answers])),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (text) => {
        body = text;
        const errors = (await failures(chain)).filter((result) => result instanceof Error);
        expect(errors.filter((error) => !(error instanceof ChainError || error instanceof ChainUnavailable))).toEqual(
          [],
        );
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
