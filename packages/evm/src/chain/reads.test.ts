import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, randomNonce, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, installWallet, mintUsdc, usdcAbi } from '@keyfare/devstack/usdc';
import { openProxy, type Proxy } from '@keyfare/fixtures/proxy';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData, parseAbi } from 'viem';
import { authorize, payTo, untilMined, usdc } from '../../test/bench.js';
import { encodeTransferWithAuthorization } from './calldata.js';
import { type Chain, ChainError, ChainUnavailable, openChain } from './index.js';

const wallet = '0x00000000000000000000000000000000000a11e7';
const nobody = '0x00000000000000000000000000000000000000cc';

let node: LocalChain;
let proxy: Proxy;
let chain: Chain;
let payer: TestPayer;

beforeAll(async () => {
  node = await startTestChain();
  proxy = await openProxy(node.rpcUrl);
  chain = openChain({ rpcUrl: proxy.url, chainId: 84_532, feesTtlMs: 60_000 });
  payer = await fundedPayer(node, 1, 1000n);
  await installWallet(node.rpcUrl, wallet, payer.address);
  await mintUsdc(node.rpcUrl, wallet, 500n);
});
beforeEach(() => proxy.reset());
afterAll(async () => {
  chain.close();
  await proxy.close();
  await node.kill();
});

/** Sends a call of the token from an account of the node, and waits for the block. */
async function send(data: string): Promise<void> {
  const from = testPayer(90).address;
  await fundEth(node.rpcUrl, from);
  await callRpc(node.rpcUrl, 'anvil_impersonateAccount', [from]);
  const hash = await callRpc(node.rpcUrl, 'eth_sendTransaction', [{ from, to: usdc, data }]);
  await untilMined(node, hash as `0x${string}`);
}

describe('readPayer', () => {
  it('tells balance, unused authorization and absence of code of a key', async () => {
    expect(await chain.readPayer({ asset: usdc, payer: payer.address, nonce: randomNonce() })).toEqual({
      balance: 1000n,
      authorizationUsed: false,
      hasCode: false,
    });
    expect(await chain.readPayer({ asset: usdc, payer: nobody, nonce: randomNonce() })).toMatchObject({ balance: 0n });
  });

  it('tells an authorization that was used, and only that one of that payer', async () => {
    const { authorization, signature } = await authorize({ payer });
    await send(encodeTransferWithAuthorization(authorization, signature));
    const { nonce } = authorization;
    expect(await chain.readPayer({ asset: usdc, payer: payer.address, nonce })).toEqual({
      balance: 990n,
      authorizationUsed: true,
      hasCode: false,
    });
    for (const [other, otherNonce] of [
      [nobody, nonce],
      [payer.address, randomNonce()],
    ] as const) {
      const state = await chain.readPayer({ asset: usdc, payer: other, nonce: otherNonce });
      expect(state.authorizationUsed).toBe(false);
    }
  });

  it('tells an authorization that was canceled as used', async () => {
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
    const abi = parseAbi(['function cancelAuthorization(address, bytes32, bytes)']);
    await send(
      encodeFunctionData({ abi, functionName: 'cancelAuthorization', args: [payer.address, nonce, signature] }),
    );
    const state = await chain.readPayer({ asset: usdc, payer: payer.address, nonce });
    expect(state.authorizationUsed).toBe(true);
  });

  it('tells code of a wallet contract, and of a key that delegated to one (EIP-7702)', async () => {
    expect(await chain.readPayer({ asset: usdc, payer: wallet, nonce: randomNonce() })).toEqual({
      balance: 500n,
      authorizationUsed: false,
      hasCode: true,
    });
    const delegated = testPayer(7).address;
    await callRpc(node.rpcUrl, 'anvil_setCode', [delegated, `0xef0100${wallet.slice(2)}`]);
    expect(await chain.readPayer({ asset: usdc, payer: delegated, nonce: randomNonce() })).toMatchObject({
      hasCode: true,
    });
  });

  it('tells the state at a block, and does not take the latest state of a node that has fallen behind for it', async () => {
    const { authorization, signature } = await authorize({ payer });
    const { nonce } = authorization;
    const before = await chain.blockNumber();
    await send(encodeTransferWithAuthorization(authorization, signature));
    const question = { asset: usdc, payer: payer.address, nonce };
    expect((await chain.readPayer({ ...question, block: before })).authorizationUsed).toBe(false);
    const { number } = await chain.head();
    expect((await chain.readPayer({ ...question, block: number })).authorizationUsed).toBe(true);
    await expect(chain.readPayer({ ...question, block: number + 50n })).rejects.toBeInstanceOf(ChainUnavailable);
  });

  it('does not take an asset without code, or another contract, for a token without balance', async () => {
    for (const asset of [nobody, wallet] as const) {
      const failure = await chain
        .readPayer({ asset, payer: payer.address, nonce: randomNonce() })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ChainError);
      expect(failure).toMatchObject({ kind: 'not-a-token' });
    }
  });

  it('gives each of 64 concurrent callers its own answer, from one request', async () => {
    const payers = Array.from({ length: 64 }, (_, index) => testPayer(1000 + index));
    await Promise.all(
      payers.map(async ({ address }, index) => await mintUsdc(node.rpcUrl, address, BigInt(index + 1))),
    );
    const states = await Promise.all(
      payers.map(async ({ address }) => await chain.readPayer({ asset: usdc, payer: address, nonce: randomNonce() })),
    );
    expect(states.map(({ balance }) => balance)).toEqual(payers.map((_, index) => BigInt(index + 1)));
    expect(proxy.batches).toHaveLength(1);
  });
});

describe('simulateTransfer', () => {
  it('says yes to what the token would take, from a wallet contract too', async () => {
    const byKey = await authorize({ payer });
    expect(await chain.simulateTransfer({ asset: usdc, ...byKey })).toEqual({ ok: true });
    const byWallet = await authorize({ payer, from: wallet });
    expect(await chain.simulateTransfer({ asset: usdc, ...byWallet, sender: nobody })).toEqual({ ok: true });
    const tagged = `0x00${byWallet.signature.slice(2)}` as const;
    expect(await chain.simulateTransfer({ asset: usdc, ...byWallet, signature: tagged })).toEqual({ ok: true });
  });

  it('gives the token’s own reason when it would not', async () => {
    const good = await authorize({ payer: testPayer(66), from: wallet });
    expect(await chain.simulateTransfer({ asset: usdc, ...good })).toEqual({
      ok: false,
      kind: 'reverted',
      reason: 'FiatTokenV2: invalid signature',
    });
    const rich = await authorize({ payer, value: 10n ** 12n });
    expect(await chain.simulateTransfer({ asset: usdc, ...rich })).toEqual({
      ok: false,
      kind: 'reverted',
      reason: 'ERC20: transfer amount exceeds balance',
    });
    const late = await authorize({ payer, validBefore: 1n });
    expect(await chain.simulateTransfer({ asset: usdc, ...late })).toEqual({
      ok: false,
      kind: 'reverted',
      reason: 'FiatTokenV2: authorization is expired',
    });
  });

  it('calls a gas limit too low for a dear wallet, or for the calldata, by its name and not a bad signature', async () => {
    const dear = '0x0000000000000000000000000000000000000dea';
    await installWallet(node.rpcUrl, dear, payer.address, 168_000n);
    await mintUsdc(node.rpcUrl, dear, 100n);
    const byWallet = await authorize({ payer, from: dear });
    const simulate = async (gasLimit: bigint) => await chain.simulateTransfer({ asset: usdc, ...byWallet, gasLimit });
    expect(await simulate(300_000n)).toEqual({ ok: true });
    for (const gasLimit of [150_000n, 45_000n, 21_500n]) {
      const reason = `it needs more than ${String(gasLimit)} gas`;
      expect(await simulate(gasLimit)).toEqual({ ok: false, kind: 'out-of-gas', reason });
    }
    const forged = await authorize({ payer: testPayer(66), from: dear });
    expect(await chain.simulateTransfer({ asset: usdc, ...forged, gasLimit: 150_000n })).toMatchObject({
      kind: 'reverted',
      reason: 'FiatTokenV2: invalid signature',
    });
  });

  it('gives the token’s reason while it is paused, and for a payer on its block list', async () => {
    const payment = await authorize({ payer });
    const reason = async () => await chain.simulateTransfer({ asset: usdc, ...payment, gasLimit: 150_000n });
    await send(encodeFunctionData({ abi: usdcAbi, functionName: 'pause' }));
    expect(await reason()).toMatchObject({ kind: 'reverted', reason: 'Pausable: paused' });
    await send(encodeFunctionData({ abi: usdcAbi, functionName: 'unpause' }));
    const args = [payer.address] as const;
    await send(encodeFunctionData({ abi: usdcAbi, functionName: 'blacklist', args }));
    expect(await reason()).toMatchObject({ kind: 'reverted', reason: 'Blacklistable: account is blacklisted' });
    await send(encodeFunctionData({ abi: usdcAbi, functionName: 'unBlacklist', args }));
    expect(await reason()).toEqual({ ok: true });
  });

  it('does not take the silence of an address without code for a yes', async () => {
    const payment = await authorize({ payer });
    await expect(chain.simulateTransfer({ asset: nobody, ...payment })).rejects.toMatchObject({ kind: 'not-a-token' });
  });

  it('does not take a refusal of the node for the token’s', async () => {
    proxy.answer = ({ method }) =>
      method === 'eth_call' ? { error: { code: -32_000, message: 'header not found' } } : undefined;
    const payment = await authorize({ payer });
    await expect(chain.simulateTransfer({ asset: usdc, ...payment })).rejects.toBeInstanceOf(ChainUnavailable);
  });
});

describe('fees', () => {
  it('cover twice the base fee and the tip, and are asked once for all callers', async () => {
    const all = await Promise.all([chain.fees(), chain.fees()]);
    const [{ baseFeePerGas, maxFeePerGas, maxPriorityFeePerGas }] = all;
    expect(all[1]).toEqual(all[0]);
    expect(maxPriorityFeePerGas).toBe(BigInt(String(await callRpc(node.rpcUrl, 'eth_maxPriorityFeePerGas'))));
    expect(maxFeePerGas).toBe(2n * baseFeePerGas + maxPriorityFeePerGas);
    await chain.fees();
    expect(proxy.batches.flat().filter(({ method }) => method === 'eth_gasPrice')).toHaveLength(1);
  });

  it('are asked again when they are too old, and after a failure', async () => {
    const impatient = openChain({ rpcUrl: proxy.url, chainId: 84_532, feesTtlMs: 0 });
    proxy.answer = ({ method }) =>
      method === 'eth_gasPrice' ? { error: { code: -32_000, message: 'no' } } : undefined;
    await expect(impatient.fees()).rejects.toBeInstanceOf(ChainUnavailable);
    proxy.reset();
    await impatient.fees();
    await impatient.fees();
    expect(proxy.batches).toHaveLength(2);
    impatient.close();
  });

  it('take the tip from the gas price where the node does not suggest one', async () => {
    const other = openChain({ rpcUrl: proxy.url, chainId: 84_532 });
    proxy.answer = ({ method }) =>
      method === 'eth_maxPriorityFeePerGas' ? { error: { code: -32_601, message: 'unknown method' } } : undefined;
    const { baseFeePerGas, maxPriorityFeePerGas } = await other.fees();
    const price = BigInt(String(await callRpc(node.rpcUrl, 'eth_gasPrice')));
    expect(maxPriorityFeePerGas).toBe(price - baseFeePerGas);
    other.close();
  });

  it('do not exist on a chain without a base fee', async () => {
    const legacy = openChain({ rpcUrl: proxy.url, chainId: 84_532 });
    proxy.answer = ({ method }) => (method === 'eth_getBlockByNumber' ? { result: { number: '0x1' } } : undefined);
    await expect(legacy.fees()).rejects.toMatchObject({ kind: 'unsupported' });
    legacy.close();
  });
});

describe('accounts', () => {
  it('have a count of transactions, mined or also waiting, and a balance in wei', async () => {
    const sender = testPayer(91).address;
    await fundEth(node.rpcUrl, sender, 10n ** 18n);
    expect(await chain.etherBalance(sender)).toBe(10n ** 18n);
    await callRpc(node.rpcUrl, 'anvil_impersonateAccount', [sender]);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    await callRpc(node.rpcUrl, 'eth_sendTransaction', [{ from: sender, to: payTo, value: '0x1' }]);
    expect(await chain.transactionCount(sender)).toBe(0);
    expect(await chain.transactionCount(sender, 'pending')).toBe(1);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
    expect(await chain.transactionCount(sender)).toBe(1);
  });
});
