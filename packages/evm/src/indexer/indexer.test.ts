import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { callRpc, type LocalChain, startChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { paymentBatchAbi, paymentBatchAddress } from '@keyfare/devstack/payment-batch';
import { choosePort } from '@keyfare/devstack/ports';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, installUsdc, mintUsdc, transferUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData, parseAbi } from 'viem';
import { authorize, untilMined, usdc } from '../../test/bench.js';
import { encodeTransferWithAuthorization } from '../chain/calldata.js';
import { type Chain, ChainUnavailable, openChain } from '../chain/index.js';
import { createIndexer, type Indexer } from './index.js';

const merchant = testPayer(80);
const payTo = merchant.address.toLowerCase() as Address;
const relayer = testPayer(90).address;

let node: LocalChain;
let proxy: Proxy;
let chain: Chain;
let indexer: Indexer;
let payer: TestPayer;

beforeAll(async () => {
  node = await startTestChain();
  proxy = await openProxy(node.rpcUrl);
  chain = openChain({ rpcUrl: proxy.url, chainId: 84_532, maxBatchCalls: 21, maxLogRange: 10 });
  indexer = createIndexer(chain);
  payer = await fundedPayer(node, 1, 1_000_000n);
  for (const address of [relayer, merchant.address, payer.address]) await fundEth(node.rpcUrl, address);
  await callRpc(node.rpcUrl, 'anvil_impersonateAccount', [relayer]);
});
beforeEach(() => proxy.reset());
afterAll(async () => {
  chain.close();
  await proxy.close();
  await node.kill();
});

async function send(to: Address, data: Hex): Promise<Hex> {
  const call = { from: relayer, to, data, gas: '0x200000' };
  return await untilMined(node, (await callRpc(node.rpcUrl, 'eth_sendTransaction', [call])) as Hex);
}

async function batch(calls: readonly Hex[]): Promise<Hex> {
  const args = [calls.map((callData) => ({ target: usdc, allowFailure: false, callData }))] as const;
  return await send(
    paymentBatchAddress,
    encodeFunctionData({ abi: paymentBatchAbi, functionName: 'aggregate3', args }),
  );
}

async function feeOf(hash: Hex): Promise<bigint> {
  const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) as Record<string, Hex>;
  return BigInt(receipt['gasUsed'] ?? 0) * BigInt(receipt['effectiveGasPrice'] ?? 0);
}

/** What the indexer reads of the blocks after `before`, up to the head. */
async function transfersSince(before: bigint) {
  return await indexer.readTransfers({
    asset: usdc,
    payTo,
    fromBlock: before + 1n,
    toBlock: await chain.blockNumber(),
  });
}

describe('readTransfers', () => {
  it('gives an authorization’s transfer with its nonce, its block and who sent it', async () => {
    const before = await chain.blockNumber();
    const { authorization, signature } = await authorize({ payer, to: payTo, value: 25n });
    const hash = await send(usdc, encodeTransferWithAuthorization(authorization, signature));
    const [header] = await indexer.readBlocks(before + 1n, before + 1n);
    expect(await transfersSince(before)).toEqual([
      {
        asset: usdc,
        from: authorization.from,
        to: payTo,
        value: 25n,
        logIndex: 1,
        authorization: { authorizer: authorization.from, nonce: authorization.nonce },
        blockNumber: before + 1n,
        blockHash: header?.hash,
        transactionHash: hash,
        transactionFrom: relayer.toLowerCase(),
        transactionFee: await feeOf(hash),
      },
    ]);
  });

  it('gives plain transfers in and out, and one to itself once, without an authorization', async () => {
    const before = await chain.blockNumber();
    await transferUsdc(node.rpcUrl, { privateKey: payer.privateKey, to: payTo, value: 100n });
    await transferUsdc(node.rpcUrl, { privateKey: merchant.privateKey, to: payer.address, value: 5n });
    await transferUsdc(node.rpcUrl, { privateKey: merchant.privateKey, to: payTo, value: 7n });
    await mintUsdc(node.rpcUrl, payTo, 9n);
    const found = await transfersSince(before);
    expect(found.map(({ from, to, value, authorization }) => [from, to, value, authorization])).toEqual([
      [payer.address.toLowerCase(), payTo, 100n, null],
      [payTo, payer.address.toLowerCase(), 5n, null],
      [payTo, payTo, 7n, null],
      ['0x0000000000000000000000000000000000000000', payTo, 9n, null],
    ]);
  });

  it('keeps many authorizations of one transaction apart, other people’s and plain transfers among them', async () => {
    const before = await chain.blockNumber();
    const stranger: Address = '0x00000000000000000000000000000000000000ee';
    const payments = await Promise.all(
      [payTo, stranger, payTo].map(async (to, index) => await authorize({ payer, to, value: BigInt(index + 1) })),
    );
    const spend = parseAbi(['function transfer(address, uint256) returns (bool)']);
    await mintUsdc(node.rpcUrl, paymentBatchAddress, 50n);
    const plain = encodeFunctionData({ abi: spend, functionName: 'transfer', args: [payTo, 50n] });
    const [one, two, three] = payments.map(({ authorization, signature }) =>
      encodeTransferWithAuthorization(authorization, signature),
    ) as [Hex, Hex, Hex];
    const hash = await batch([one, plain, two, three]);
    const found = (await transfersSince(before)).filter(({ transactionHash }) => transactionHash === hash);
    expect(found.map(({ value, authorization }) => [value, authorization?.nonce ?? null])).toEqual([
      [1n, payments[0]?.authorization.nonce],
      [50n, null],
      [3n, payments[2]?.authorization.nonce],
    ]);
  });

  it('sees nothing of a transaction that reverted, nor of another token', async () => {
    const before = await chain.blockNumber();
    const { authorization, signature } = await authorize({ payer, to: payTo });
    const data = encodeTransferWithAuthorization(authorization, signature);
    await batch([data, data]);
    expect(await transfersSince(before)).toEqual([]);
    const other: Address = '0x00000000000000000000000000000000000070c1';
    await installUsdc(node.rpcUrl, other);
    const mint = parseAbi(['function mint(address, uint256) returns (bool)']);
    await send(other, encodeFunctionData({ abi: mint, functionName: 'mint', args: [payTo, 1_000_000n] }));
    expect(await transfersSince(before)).toEqual([]);
  });

  it('accounts for the whole balance: what came in less what went out', async () => {
    const found = await indexer.readTransfers({
      asset: usdc,
      payTo,
      fromBlock: 0n,
      toBlock: await chain.blockNumber(),
    });
    const moved = found.reduce(
      (sum, { from, to, value }) => sum + (to === payTo ? value : 0n) - (from === payTo ? value : 0n),
      0n,
    );
    expect(moved).toBe(await usdcBalance(node.rpcUrl, payTo));
    expect(moved).toBeGreaterThan(0n);
  });

  it('does not put together what a reorganization took apart', async () => {
    const before = await chain.blockNumber();
    const { authorization, signature } = await authorize({ payer, to: payTo });
    const hash = await send(usdc, encodeTransferWithAuthorization(authorization, signature));
    const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) as {
      logs: object[];
    };
    const moved: Hex = `0x${'ab'.repeat(32)}`;
    const elsewhere = {
      ...receipt,
      blockHash: moved,
      logs: receipt.logs.map((log) => Object.assign(log, { blockHash: moved })),
    };
    for (const result of [null, elsewhere, { ...elsewhere, status: '0x0' }]) {
      proxy.answer = ({ method }) => (method === 'eth_getTransactionReceipt' ? { result } : undefined);
      await expect(transfersSince(before)).rejects.toMatchObject({ kind: 'reorganized' });
    }
  });
});

describe('readBlocks', () => {
  it('gives linked headers, more than one batch holds', async () => {
    await node.mine(50);
    const headers = await indexer.readBlocks(0n, 50n);
    expect(headers.map(({ number }) => number)).toEqual(Array.from({ length: 51 }, (_, index) => BigInt(index)));
    expect(headers.slice(1).map(({ parentHash }) => parentHash)).toEqual(headers.slice(0, -1).map(({ hash }) => hash));
    expect(proxy.batches.map((calls) => calls.length)).toEqual([20, 20, 11]);
    expect(await indexer.readBlocks(5n, 4n)).toEqual([]);
  });

  it('shows a reorganization by other hashes at the same numbers', async () => {
    await node.mine(3);
    const head = await chain.blockNumber();
    const before = await indexer.readBlocks(head - 3n, head);
    await callRpc(node.rpcUrl, 'anvil_reorg', [2, []]);
    const after = await indexer.readBlocks(head - 3n, head);
    expect(after.map(({ hash }, index) => hash === before[index]?.hash)).toEqual([true, true, false, false]);
  });

  it('refuses blocks that the node does not have, that are not linked, or that are others', async () => {
    const head = await chain.blockNumber();
    await expect(indexer.readBlocks(head, head + 1n)).rejects.toMatchObject({ kind: 'unknown-block' });
    proxy.rewrite = (answers) => {
      for (const { result } of answers as { result: { number?: string } }[]) {
        if (result.number === '0x3') Object.assign(result, { parentHash: `0x${'00'.repeat(32)}` });
      }
      return answers;
    };
    await expect(indexer.readBlocks(1n, 5n)).rejects.toMatchObject({ kind: 'reorganized' });
    proxy.answer = ({ method }) =>
      method === 'eth_getBlockByNumber'
        ? { result: { number: '0x9', hash: usdc.padEnd(66, '0'), parentHash: usdc.padEnd(66, '0'), timestamp: '0x1' } }
        : undefined;
    await expect(indexer.readBlocks(1n, 1n)).rejects.toMatchObject({ kind: 'reorganized' });
  });
});

describe('readHead', () => {
  it('gives latest, safe and finalized', async () => {
    const { latest, safe, finalized } = await indexer.readHead();
    expect(latest.number).toBe(await chain.blockNumber());
    expect([safe?.number, finalized.number]).toEqual([latest.number - 1n, latest.number - 2n]);
    expect(await indexer.readBlocks(finalized.number, latest.number)).toEqual([finalized, safe, latest]);
  });

  it('holds block 0 to be final while nothing else is, and does without safe', async () => {
    proxy.answer = ({ method, params }) =>
      method === 'eth_getBlockByNumber' && (params[0] === 'safe' || params[0] === 'finalized')
        ? { error: { code: -39_001, message: `${params[0]} block not found` } }
        : undefined;
    const head = await indexer.readHead();
    expect(head.finalized.number).toBe(0n);
    expect(head).not.toHaveProperty('safe');
  });

  it('does not take a node that refuses to answer for one that has finalized nothing', async () => {
    proxy.answer = ({ method, params }) =>
      method === 'eth_getBlockByNumber' && params[0] === 'finalized'
        ? { error: { code: -32_005, message: 'rate limit exceeded' } }
        : undefined;
    await expect(indexer.readHead()).rejects.toBeInstanceOf(ChainUnavailable);
  });
});

describe('balanceOf', () => {
  it('gives the balance after a block, not the latest one', async () => {
    const block = await chain.blockNumber();
    const then = await usdcBalance(node.rpcUrl, payTo);
    await mintUsdc(node.rpcUrl, payTo, 77n);
    expect(await indexer.balanceOf(usdc, payTo, block)).toBe(then);
    expect(await indexer.balanceOf(usdc, payTo, block + 1n)).toBe(then + 77n);
    await expect(indexer.balanceOf(paymentBatchAddress, payTo, block)).rejects.toMatchObject({ kind: 'not-a-token' });
  });

  it('tells that the node has no state of the block: not yet, or no longer', async () => {
    const head = await chain.blockNumber();
    await expect(indexer.balanceOf(usdc, payTo, head + 100n)).rejects.toMatchObject({ kind: 'state-unavailable' });
    for (const message of ['missing trie node 1234 (path )', 'required historical state unavailable (reexec=128)']) {
      proxy.answer = ({ method }) => (method === 'eth_call' ? { error: { code: -32_000, message } } : undefined);
      await expect(indexer.balanceOf(usdc, payTo, 1n)).rejects.toMatchObject({ kind: 'state-unavailable' });
    }
  });
});

describe('an indexer of a chain that was restarted', () => {
  it('reads the same transfers again', async () => {
    const path = mkdtempSync(join(tmpdir(), 'keyfare-test-'));
    const port = await choosePort();
    let local = await startChain({ port, statePath: `${path}/state.json` });
    const other = openChain({ rpcUrl: local.rpcUrl, chainId: 84_532 });
    await mintUsdc(local.rpcUrl, payTo, 3n);
    const question = { asset: usdc, payTo, fromBlock: 0n, toBlock: 1n };
    const before = await createIndexer(other).readTransfers(question);
    await local.stop();
    local = await startChain({ port, statePath: `${path}/state.json` });
    expect(await createIndexer(other).readTransfers(question)).toEqual(before);
    expect(before).toHaveLength(1);
    other.close();
    await local.kill();
    rmSync(path, { recursive: true });
  }, 120_000);
});
