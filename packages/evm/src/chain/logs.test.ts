import type { Hex } from '@keyfare/core/encoding';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, randomNonce, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, mintUsdc, usdcAbi } from '@keyfare/devstack/usdc';
import { openProxy, type ProxiedCall, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData } from 'viem';
import { authorize, payTo, untilMined, usdc } from '../../test/bench.js';
import { addressTopic, encodeTransferWithAuthorization } from './calldata.js';
import { type AuthorizationUse, type Chain, ChainUnavailable, openChain } from './index.js';
import { readLogs } from './logs.js';
import { topics } from './transfers.js';

const blocks = 40n;
let node: LocalChain;
let proxy: Proxy;
let chain: Chain;
let payer: TestPayer;

beforeAll(async () => {
  node = await startTestChain();
  proxy = await openProxy(node.rpcUrl);
  chain = openChain({ rpcUrl: proxy.url, chainId: 84_532, maxLogRange: 1000 });
  payer = await fundedPayer(node, 1, 1000n);
  while ((await chain.blockNumber()) < blocks) await mintUsdc(node.rpcUrl, payTo, 1n);
});
beforeEach(() => proxy.reset());
afterAll(async () => {
  chain.close();
  await proxy.close();
  await node.kill();
});

const question = {
  address: usdc,
  topics: [topics.transfer, null, addressTopic(payTo)],
  fromBlock: 0n,
  toBlock: blocks,
  maxRange: 1000,
};

function spanOf(call: ProxiedCall): number {
  const { fromBlock, toBlock } = call.params[0] as { fromBlock: Hex; toBlock: Hex };
  return Number(toBlock) - Number(fromBlock) + 1;
}

/** Refuses eth_getLogs over more than `limit` blocks, in the given words. */
function limit(count: number, code: number, message: string): void {
  proxy.answer = (call) =>
    call.method === 'eth_getLogs' && spanOf(call) > count ? { error: { code, message } } : undefined;
}

const spans = () =>
  proxy.batches
    .flat()
    .filter(({ method }) => method === 'eth_getLogs')
    .map(spanOf);

/** Changes every log on its way. */
function changeLogs(changes: object): void {
  proxy.rewrite = (answers) => {
    for (const { result } of answers as { result: unknown }[]) {
      if (Array.isArray(result)) for (const log of result as object[]) Object.assign(log, changes);
    }
    return answers;
  };
}

async function send(data: Hex): Promise<Hex> {
  const from = testPayer(90).address;
  await fundEth(node.rpcUrl, from);
  await callRpc(node.rpcUrl, 'anvil_impersonateAccount', [from]);
  return await untilMined(node, (await callRpc(node.rpcUrl, 'eth_sendTransaction', [{ from, to: usdc, data }])) as Hex);
}

async function find(nonce: Hex, fromBlock = 0n): Promise<AuthorizationUse | null> {
  return await chain.findAuthorizationUse({ asset: usdc, authorizer: payer.address, nonce, fromBlock });
}

describe('readLogs', () => {
  it('gives every log once, in the order of the chain, whatever the range of one call', async () => {
    const whole = await readLogs(chain.rpc, question);
    expect(whole.length).toBeGreaterThan(30);
    expect(whole.map(({ blockNumber }) => blockNumber)).toEqual(
      whole.map(({ blockNumber }) => blockNumber).toSorted((a, b) => Number(a - b)),
    );
    for (const maxRange of [1, 3, 7, 41]) expect(await readLogs(chain.rpc, { ...question, maxRange })).toEqual(whole);
  });

  it.each([
    [-32_005, 'query returned more than 10000 results'],
    [-32_602, 'eth_getLogs is limited to a 10,000 range'],
    [-32_614, 'eth_getLogs is limited to a 1000 blocks range'],
    [-32_000, 'block range is too wide'],
    [-32_600, 'You can make eth_getLogs requests with up to a 500 block range.'],
    [-32_602, 'Log response size exceeded. this block range should work: [0x0, 0x5]'],
    [-32_000, 'query timeout exceeded'],
    [-32_012, 'exceed maximum block range: 5000'],
  ])('halves a range that is too large in the words of a provider (%d %s)', async (code, message) => {
    const whole = await readLogs(chain.rpc, question);
    proxy.reset();
    limit(5, code, message);
    expect(await readLogs(chain.rpc, question)).toEqual(whole);
    expect(spans().slice(0, 4)).toEqual([41, 20, 10, 5]);
  });

  it('grows the range again after it was halved', async () => {
    let refused = 0;
    proxy.answer = (call) => {
      if (call.method !== 'eth_getLogs' || refused === 2) return undefined;
      refused += 1;
      return { error: { code: -32_005, message: 'query returned more than 10000 results' } };
    };
    await readLogs(chain.rpc, { ...question, maxRange: 16 });
    expect(spans()).toEqual([16, 8, 4, 6, 8, 11, 12]);
  });

  it('gives up at one block, and does not shrink ranges because of a rate limit', async () => {
    limit(0, -32_005, 'query returned more than 10000 results');
    await expect(readLogs(chain.rpc, question)).rejects.toBeInstanceOf(ChainUnavailable);
    expect(spans().at(-1)).toBe(1);
    proxy.reset();
    limit(0, -32_005, 'daily request count exceeded, request rate limited');
    await expect(readLogs(chain.rpc, question)).rejects.toBeInstanceOf(ChainUnavailable);
    expect(spans()).toEqual([41]);
  });

  it('does not take the empty list of a node that has fallen behind for an answer', async () => {
    await expect(readLogs(chain.rpc, { ...question, toBlock: blocks + 100n })).rejects.toMatchObject({
      kind: 'unknown-block',
    });
  });

  it('believes no log that was not asked for, and none that a removed block left behind', async () => {
    for (const changes of [{ removed: true }, { address: payTo }, { blockNumber: '0xffff' }, { blockHash: null }]) {
      changeLogs(changes);
      await expect(readLogs(chain.rpc, question)).rejects.toBeInstanceOf(ChainUnavailable);
    }
    changeLogs({ blockHash: `0x${'00'.repeat(32)}` }); // not the block whose header came along
    await expect(readLogs(chain.rpc, question)).rejects.toMatchObject({ kind: 'reorganized' });
  });
});

describe('findAuthorizationUse', () => {
  it('finds the transaction and the transfer that an authorization made', async () => {
    const { authorization, signature } = await authorize({ payer });
    const hash = await send(encodeTransferWithAuthorization(authorization, signature));
    expect(await find(authorization.nonce)).toMatchObject({
      kind: 'transferred',
      transactionHash: hash,
      blockNumber: await chain.blockNumber(),
      transfer: { to: payTo, value: 10n, authorization: { nonce: authorization.nonce } },
    });
    expect(await find(authorization.nonce, (await chain.blockNumber()) + 1n)).toBeNull();
  });

  it('shows that the same nonce paid somebody else, when it did', async () => {
    const nonce = randomNonce();
    const thief = testPayer(2).address;
    const ours = await authorize({ payer, nonce });
    const theirs = await authorize({ payer, nonce, to: thief, value: 1n });
    await send(encodeTransferWithAuthorization(theirs.authorization, theirs.signature));
    expect((await chain.readPayer({ asset: usdc, payer: payer.address, nonce })).authorizationUsed).toBe(true);
    const use = await find(ours.authorization.nonce);
    expect(use?.transfer).toMatchObject({ to: thief.toLowerCase(), value: 1n });
  });

  it('tells a canceled authorization from one that paid', async () => {
    const nonce = randomNonce();
    const signature = await payer.account.signTypedData({
      domain: { name: 'USDC', version: '2', chainId: 84_532, verifyingContract: usdc },
      types: {
        CancelAuthorization: [
          { name: 'authorizer', type: 'address' },
          { name: 'nonce', type: 'bytes32' },
        ],
      },
      primaryType: 'CancelAuthorization',
      message: { authorizer: payer.address, nonce },
    });
    const args = [payer.address, nonce, signature] as const;
    const hash = await send(encodeFunctionData({ abi: usdcAbi, functionName: 'cancelAuthorization', args }));
    expect(await find(nonce)).toMatchObject({ kind: 'canceled', transactionHash: hash, transfer: null });
  });

  it('finds nothing for an authorization that was not used, nor one that another payer used with that nonce', async () => {
    const other = await fundedPayer(node, 3);
    const { authorization, signature } = await authorize({ payer: other });
    await send(encodeTransferWithAuthorization(authorization, signature));
    expect(await find(authorization.nonce)).toBeNull();
    expect(await find(randomNonce())).toBeNull();
  });

  it('does not guess when the receipt no longer has the log', async () => {
    const { authorization, signature } = await authorize({ payer });
    await send(encodeTransferWithAuthorization(authorization, signature));
    proxy.answer = ({ method }) => (method === 'eth_getTransactionReceipt' ? { result: null } : undefined);
    await expect(find(authorization.nonce)).rejects.toMatchObject({ kind: 'reorganized' });
  });
});
