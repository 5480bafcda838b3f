import { inspect } from 'node:util';
import type { Hex } from '@keyfare/core/encoding';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, installWallet, mintUsdc, usdcAbi, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData, parseSignature } from 'viem';
import { authorize, payTo, untilMined, usdc } from '../../test/bench.js';
import { type Chain, openChain } from '../chain/index.js';
import { createSettlerWallet, type SettlerWallet } from './index.js';

const key = testPayer(70).privateKey;
const smartWallet = '0x00000000000000000000000000000000000a11e7';

let node: LocalChain;
let chain: Chain;
let wallet: SettlerWallet;
let payer: TestPayer;

beforeAll(async () => {
  node = await startTestChain();
  chain = openChain({ rpcUrl: node.rpcUrl, chainId: 84_532 });
  wallet = await createSettlerWallet({ privateKey: key, chain });
  payer = await fundedPayer(node, 1, 100_000n);
  await fundEth(node.rpcUrl, wallet.address);
});
afterAll(async () => {
  chain.close();
  await node.kill();
});

async function settlement(nonce: number, changes: Partial<Parameters<typeof authorize>[0]> = {}) {
  return { asset: usdc, nonce, ...(await authorize({ payer, ...changes })) };
}

async function outcome(hash: Hex) {
  const [found] = await chain.receipts([await untilMined(node, hash)]);
  return found;
}

describe('a settler wallet', () => {
  it('has the address of its key, and shows the key nowhere', () => {
    expect(wallet.address).toBe(testPayer(70).address.toLowerCase());
    expect(wallet.engine).toBe('wasm');
    const json = JSON.stringify(wallet, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    expect(inspect(wallet, { depth: 9, showHidden: true }) + json).not.toContain(key.slice(2));
  });

  it('refuses a text that is no private key, without repeating it', async () => {
    const order = '0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141';
    for (const privateKey of ['0x', `0x${'00'.repeat(32)}`, order, `${key}00`, key.slice(2), `0x${'g'.repeat(64)}`]) {
      const failure = await createSettlerWallet({ privateKey: privateKey as Hex, chain }).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(TypeError);
      expect(String(failure)).not.toContain(privateKey.slice(2) || 'nothing to hide');
    }
  });
});

describe('signTransfers', () => {
  it('signs what viem signs for the same call', async () => {
    const fees = await chain.fees();
    const one = await settlement(5);
    const { from, to, value, validAfter, validBefore, nonce } = one.authorization;
    const { v, r, s } = parseSignature(one.signature);
    const args = [from, to, value, validAfter, validBefore, nonce, Number(v), r, s] as const;
    const raw = await testPayer(70).account.signTransaction({
      type: 'eip1559',
      chainId: 84_532,
      nonce: 5,
      gas: 150_000n,
      maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
      to: usdc,
      data: encodeFunctionData({ abi: usdcAbi, functionName: 'transferWithAuthorization', args }),
    });
    expect(wallet.signTransfers([one], fees)).toMatchObject([{ raw, nonce: 5 }]);
  });

  it('settles many payments with consecutive nonces, each to its payee, under the hash it told before', async () => {
    const first = await chain.transactionCount(wallet.address);
    const before = await usdcBalance(node.rpcUrl, payTo);
    const settlements = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => await settlement(first + index)),
    );
    const signed = wallet.signTransfers(settlements, await chain.fees());
    const sent = await chain.broadcast(signed.map(({ raw }) => raw));
    expect(new Set(sent.map(({ status }) => status))).toEqual(new Set(['accepted']));
    const outcomes = await Promise.all(signed.map(async ({ hash }) => await outcome(hash)));
    expect(outcomes.map((found) => found?.transfers[0]?.authorization?.nonce)).toEqual(
      settlements.map(({ authorization }) => authorization.nonce),
    );
    expect(outcomes.every((found) => found?.succeeded === true && found.from === wallet.address)).toBe(true);
    expect(await usdcBalance(node.rpcUrl, payTo)).toBe(before + 200n);
  });

  it('settles for a wallet contract whose signature is not 65 bytes long', async () => {
    await installWallet(node.rpcUrl, smartWallet, payer.address);
    await mintUsdc(node.rpcUrl, smartWallet, 100n);
    const nonce = await chain.transactionCount(wallet.address);
    const one = await settlement(nonce, { from: smartWallet });
    const tagged = { ...one, signature: `0x00${one.signature.slice(2)}` as const };
    const [signed] = wallet.signTransfers([tagged], await chain.fees());
    expect(await chain.broadcast([signed?.raw ?? '0x'])).toEqual([{ status: 'accepted' }]);
    expect(await outcome(signed?.hash ?? '0x')).toMatchObject({ succeeded: true, transfers: [{ from: smartWallet }] });
  });

  it('signs the same bytes again for the same input, so that a crash between signing and sending costs nothing', async () => {
    const nonce = await chain.transactionCount(wallet.address);
    const fees = await chain.fees();
    const one = await settlement(nonce);
    const again = await createSettlerWallet({ privateKey: key, chain });
    const before = await usdcBalance(node.rpcUrl, payTo);
    const [signed] = wallet.signTransfers([one], fees);
    expect(again.signTransfers([one], fees)).toEqual([signed]);
    await chain.broadcast([signed?.raw ?? '0x']);
    expect(await chain.broadcast([signed?.raw ?? '0x'])).toMatchObject([
      { status: expect.stringMatching(/known|nonce/) },
    ]);
    expect(await outcome(signed?.hash ?? '0x')).toMatchObject({ succeeded: true });
    expect(await usdcBalance(node.rpcUrl, payTo)).toBe(before + 10n);
  });

  it('lets an authorization be settled once: the second transaction is mined and reverts', async () => {
    const nonce = await chain.transactionCount(wallet.address);
    const one = await settlement(nonce);
    const signed = wallet.signTransfers([one, { ...one, nonce: nonce + 1 }], await chain.fees());
    await chain.broadcast(signed.map(({ raw }) => raw));
    const outcomes = await Promise.all(signed.map(async ({ hash }) => await outcome(hash)));
    expect(outcomes.map((found) => [found?.succeeded, found?.transfers.length])).toEqual([
      [true, 1],
      [false, 0],
    ]);
  });

  it('signs for a wallet contract whose 65 bytes do not end in 27 or 28, beside others', async () => {
    const one = await settlement(0);
    const safe = { ...one, signature: `${one.signature.slice(0, -2)}1f` as Hex };
    expect(wallet.signTransfers([one, safe], { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n })).toHaveLength(2);
  });
});

describe('a stuck transaction', () => {
  it('is replaced at its nonce: the node takes the raised fees, and one of the two is mined', async () => {
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    const nonce = await chain.transactionCount(wallet.address);
    const one = await settlement(nonce);
    const fees = await chain.fees();
    const [stuck] = wallet.signTransfers([one], fees);
    await chain.broadcast([stuck?.raw ?? '0x']);
    const underpriced = wallet.signTransfers([await settlement(nonce)], fees);
    expect(await chain.broadcast(underpriced.map(({ raw }) => raw))).toMatchObject([{ status: 'outbid' }]);
    const replacement = wallet.signReplacement(one, stuck?.fees ?? fees, fees);
    if (replacement === null) throw new Error('the fees are out of proportion');
    expect(replacement.fees.maxFeePerGas * 8n).toBeGreaterThanOrEqual(fees.maxFeePerGas * 9n);
    expect(await chain.broadcast([replacement.raw])).toEqual([{ status: 'accepted' }]);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
    expect(await outcome(replacement.hash)).toMatchObject({ succeeded: true, transfers: [{ value: 10n }] });
    expect(await chain.receipts([stuck?.hash ?? '0x'])).toEqual([null]);
  });

  it('gives its nonce back by a transfer of nothing to the wallet itself', async () => {
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    const nonce = await chain.transactionCount(wallet.address);
    const fees = await chain.fees();
    const [stuck] = wallet.signTransfers([await settlement(nonce)], fees);
    await chain.broadcast([stuck?.raw ?? '0x']);
    const cancel = wallet.signCancel({ nonce, fees }, fees);
    if (cancel === null) throw new Error('the fees are out of proportion');
    expect(await chain.broadcast([cancel.raw])).toEqual([{ status: 'accepted' }]);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
    expect(await outcome(cancel.hash)).toMatchObject({ succeeded: true, transfers: [], gasUsed: 21_000n });
    expect(await chain.transactionCount(wallet.address)).toBe(nonce + 1);
  });
});
