import type { Hex } from '@keyfare/core/encoding';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { authorize, payTo, untilMined, usdc } from '../../test/bench.js';
import { encodeTransferWithAuthorization } from './calldata.js';
import { type Chain, ChainUnavailable, openChain } from './index.js';

const sender = testPayer(50).account;
const unknownHash: Hex = `0x${'12'.repeat(32)}`;

let node: LocalChain;
let proxy: Proxy;
let chain: Chain;
let payer: TestPayer;

beforeAll(async () => {
  node = await startTestChain();
  proxy = await openProxy(node.rpcUrl);
  chain = openChain({ rpcUrl: proxy.url, chainId: 84_532 });
  payer = await fundedPayer(node, 1, 1000n);
  await fundEth(node.rpcUrl, sender.address);
});
beforeEach(() => proxy.reset());
afterAll(async () => {
  chain.close();
  await proxy.close();
  await node.kill();
});

interface Draft {
  nonce?: number;
  maxFeePerGas?: bigint;
  chainId?: number;
  gas?: bigint;
  data?: Hex;
  value?: bigint;
}

async function sign(draft: Draft = {}): Promise<Hex> {
  return await sender.signTransaction({
    type: 'eip1559',
    chainId: 84_532,
    nonce: draft.nonce ?? (await chain.transactionCount(sender.address, 'pending')),
    maxFeePerGas: 10_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
    gas: 150_000n,
    to: usdc,
    ...draft,
  });
}

async function mine(raw: Hex): Promise<Hex> {
  return await untilMined(node, (await callRpc(node.rpcUrl, 'eth_sendRawTransaction', [raw])) as Hex);
}

describe('receipts', () => {
  it('tell who paid what gas for a settlement, and the transfer with its authorization', async () => {
    const { authorization, signature } = await authorize({ payer });
    const hash = await mine(await sign({ data: encodeTransferWithAuthorization(authorization, signature) }));
    const [outcome] = await chain.receipts([hash]);
    expect(outcome).toMatchObject({
      hash,
      succeeded: true,
      from: sender.address.toLowerCase(),
      blockNumber: await chain.blockNumber(),
      l1Fee: 0n,
      transfers: [
        {
          asset: usdc,
          from: authorization.from,
          to: payTo,
          value: 10n,
          logIndex: 1,
          authorization: { authorizer: authorization.from, nonce: authorization.nonce },
        },
      ],
    });
    expect(outcome?.gasUsed).toBeGreaterThan(50_000n);
    expect(outcome?.effectiveGasPrice).toBeGreaterThan(0n);
  });

  it('tell a reverted transaction as one, with no transfer in it', async () => {
    const { authorization, signature } = await authorize({ payer, value: 10n ** 15n });
    const hash = await mine(await sign({ data: encodeTransferWithAuthorization(authorization, signature) }));
    expect(await chain.receipts([hash])).toMatchObject([{ hash, succeeded: false, transfers: [] }]);
  });

  it('keep the order of the hashes, with null for what is in no block', async () => {
    const hash = await mine(await sign());
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    const waiting = (await callRpc(node.rpcUrl, 'eth_sendRawTransaction', [await sign()])) as Hex;
    const outcomes = await chain.receipts([unknownHash, hash, waiting]);
    expect(outcomes.map((outcome) => outcome?.hash ?? null)).toEqual([null, hash, null]);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
    expect(await chain.receipts([waiting])).toMatchObject([{ hash: waiting }]);
  });

  it('include the fee for layer 1 where there is one', async () => {
    const hash = await mine(await sign());
    const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) as object;
    proxy.answer = ({ method }) =>
      method === 'eth_getTransactionReceipt' ? { result: { ...receipt, l1Fee: '0x2a' } } : undefined;
    expect(await chain.receipts([hash])).toMatchObject([{ l1Fee: 42n }]);
  });

  it('believe no status but 0x1 and 0x0, and no receipt of another transaction', async () => {
    const hash = await mine(await sign());
    const receipt = (await callRpc(node.rpcUrl, 'eth_getTransactionReceipt', [hash])) as object;
    for (const change of [
      { status: '0x2' },
      { status: undefined },
      { status: true },
      { transactionHash: unknownHash },
    ]) {
      proxy.answer = ({ method }) =>
        method === 'eth_getTransactionReceipt' ? { result: { ...receipt, ...change } } : undefined;
      await expect(chain.receipts([hash])).rejects.toBeInstanceOf(ChainUnavailable);
    }
    proxy.answer = ({ method }) =>
      method === 'eth_getTransactionReceipt' ? { result: { ...receipt, blockHash: null, status: null } } : undefined;
    expect(await chain.receipts([hash])).toEqual([null]); // pending
  });
});

describe('broadcast', () => {
  it('tells a transaction that was taken, one that was there already, and one whose nonce is gone', async () => {
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    const raw = await sign();
    expect(await chain.broadcast([raw])).toEqual([{ status: 'accepted' }]);
    expect(await chain.broadcast([raw])).toEqual([{ status: 'known' }]);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
    expect(await chain.broadcast([raw])).toEqual([{ status: 'nonce-too-low' }]);
  });

  it('sends several together and keeps their order', async () => {
    const nonce = await chain.transactionCount(sender.address);
    const raws = await Promise.all([0, 1, 2].map(async (step) => await sign({ nonce: nonce + step })));
    expect(await chain.broadcast([...raws, '0x02'])).toMatchObject([
      { status: 'accepted' },
      { status: 'accepted' },
      { status: 'accepted' },
      { status: 'rejected' },
    ]);
    expect(proxy.batches.at(-1)).toHaveLength(4);
  });

  it('tells what the node will not take as it is', async () => {
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    const nonce = await chain.transactionCount(sender.address, 'pending');
    await chain.broadcast([await sign({ nonce })]);
    const refused = [
      await sign({ nonce, gas: 150_001n }), // replaces at no higher a price
      await sign({ nonce: nonce + 1, value: 10n ** 30n }),
      await sign({ nonce: nonce + 1, chainId: 1 }),
      await sign({ nonce: nonce + 1, gas: 20_000n }),
    ];
    const outcomes = await chain.broadcast(refused);
    expect(outcomes.map(({ status }) => status)).toEqual(['outbid', 'unfunded', 'rejected', 'rejected']);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
  });

  it.each([
    ['already known', 'known'],
    ['AlreadyKnown', 'known'],
    ['Known transaction', 'known'],
    ['nonce too low: next nonce 5, tx nonce 4', 'nonce-too-low'],
    ['OldNonce, Current nonce: 5, nonce of rejected tx: 4', 'nonce-too-low'],
    ['replacement transaction underpriced', 'outbid'],
    ['ReplacementNotAllowed', 'outbid'],
    ['transaction underpriced: tip needed 1, tip permitted 0', 'underpaid'],
    ['FeeTooLow', 'underpaid'],
    ['insufficient funds for gas * price + value: balance 0, tx cost 1', 'unfunded'],
    ['InsufficientFunds, Account balance: 0, cumulative cost: 1', 'unfunded'],
    ['max fee per gas less than block base fee: address 0x0', 'underpaid'],
    ['max priority fee per gas higher than max fee per gas', 'rejected'],
    ['intrinsic gas too low: have 20000, want 21000', 'rejected'],
    ['transaction type not supported', 'rejected'],
    ['txpool is full', 'unknown'],
    ['Internal error', 'unknown'],
    ['Your app has exceeded its compute units per second capacity', 'unknown'],
    ['rate limit exceeded', 'unknown'],
  ])('understands "%s" as %s', async (message, status) => {
    proxy.answer = ({ method }) =>
      method === 'eth_sendRawTransaction' ? { error: { code: -32_000, message } } : undefined;
    expect(await chain.broadcast([unknownHash])).toMatchObject([{ status }]);
  });

  it('believes only a hash', async () => {
    proxy.answer = ({ method }) => (method === 'eth_sendRawTransaction' ? { result: 'ok' } : undefined);
    await expect(chain.broadcast([unknownHash])).rejects.toBeInstanceOf(ChainUnavailable);
  });
});
