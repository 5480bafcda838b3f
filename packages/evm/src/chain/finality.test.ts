import type { Hex } from '@keyfare/core/encoding';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { mintUsdc } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { payTo } from '../../test/bench.js';
import { type Chain, openChain } from './index.js';

const unknownHash: Hex = `0x${'12'.repeat(32)}`;

let node: LocalChain;
let proxy: Proxy;
let chain: Chain;

beforeAll(async () => {
  node = await startTestChain();
  proxy = await openProxy(node.rpcUrl);
  chain = openChain({ rpcUrl: proxy.url, chainId: 84_532 });
});
beforeEach(() => proxy.reset());
afterAll(async () => {
  chain.close();
  await proxy.close();
  await node.kill();
});

describe('standings', () => {
  it('count the block of a transaction and those on top of it, up to what the chain calls final', async () => {
    const hash = await mintUsdc(node.rpcUrl, payTo, 1n);
    expect(await chain.standings([hash])).toMatchObject([
      { state: 'included', depth: 1n, finality: 'latest', outcome: { hash, succeeded: true } },
    ]);
    await node.mine();
    expect(await chain.standings([hash])).toMatchObject([{ state: 'included', depth: 2n, finality: 'safe' }]);
    await node.mine(3);
    expect(await chain.standings([hash])).toMatchObject([{ state: 'included', depth: 5n, finality: 'finalized' }]);
  });

  it('cost two HTTP requests for many transactions, in the order of the hashes', async () => {
    const one = await mintUsdc(node.rpcUrl, payTo, 1n);
    const two = await mintUsdc(node.rpcUrl, payTo, 2n);
    const standings = await chain.standings([two, unknownHash, one]);
    expect(standings.map((standing) => ('outcome' in standing ? standing.outcome.hash : standing.state))).toEqual([
      two,
      'gone',
      one,
    ]);
    expect(proxy.batches).toHaveLength(2);
  });

  it('tell a transaction as gone when a reorganization dropped it, and its block by another hash', async () => {
    const before = await chain.blockNumber();
    const snapshot = await callRpc(node.rpcUrl, 'evm_snapshot');
    const hash = await mintUsdc(node.rpcUrl, payTo, 1n);
    const dropped = await chain.blockHash(before + 1n);
    expect(await chain.standings([hash])).toMatchObject([{ state: 'included' }]);
    await callRpc(node.rpcUrl, 'evm_revert', [snapshot]);
    expect(await chain.standings([hash])).toEqual([{ state: 'gone' }]);
    expect(await chain.blockHash(before + 1n)).toBeNull();
    await mintUsdc(node.rpcUrl, payTo, 9n);
    const replaced = await chain.blockHash(before + 1n);
    expect(replaced).not.toBeNull();
    expect(replaced).not.toBe(dropped);
    expect(await chain.standings([hash])).toEqual([{ state: 'gone' }]);
  });

  it('believe no receipt whose block is not in the chain, does not list it, or is not there yet', async () => {
    const hash = await mintUsdc(node.rpcUrl, payTo, 1n);
    const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) as {
      logs: readonly object[];
      blockHash: Hex;
      blockNumber: Hex;
    };
    const madeUp = (asked: Hex, changes: { blockHash?: Hex; blockNumber?: Hex }) => {
      const place = { transactionHash: asked, ...changes };
      const logs = receipt.logs.map((log) => ({ ...log, ...place }));
      proxy.answer = ({ method }) =>
        method === 'eth_getTransactionReceipt' ? { result: { ...receipt, ...place, logs } } : undefined;
    };
    for (const [asked, changes] of [
      [hash, { blockHash: unknownHash }],
      [unknownHash, {}],
      [hash, { blockNumber: '0xffffff' }],
    ] as const) {
      madeUp(asked, changes);
      expect(await chain.standings([asked])).toMatchObject([{ state: 'unsure', outcome: { hash: asked } }]);
    }
  });

  it('call a block latest, however deep, where the node knows no other words', async () => {
    const hash = await mintUsdc(node.rpcUrl, payTo, 1n);
    await node.mine(5);
    proxy.answer = ({ method, params }) =>
      method === 'eth_getBlockByNumber' && (params[0] === 'safe' || params[0] === 'finalized')
        ? { error: { code: -32_602, message: 'invalid block tag' } }
        : undefined;
    expect(await chain.standings([hash])).toMatchObject([{ state: 'included', depth: 6n, finality: 'latest' }]);
  });
});

describe('head', () => {
  it('gives number, hash and time of the newest block', async () => {
    const { number, hash, timestamp } = await chain.head();
    expect(number).toBe(await chain.blockNumber());
    expect(hash).toBe(await chain.blockHash(number));
    expect(timestamp).toBeGreaterThan(1_600_000_000n);
  });
});
