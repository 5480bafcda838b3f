import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { fundedPayer, type TestPayer, testPayer } from '@keyfare/devstack/payers';
import { paymentBatchAbi } from '@keyfare/devstack/payment-batch';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { fundEth, installWallet, mintUsdc, usdcBalance } from '@keyfare/devstack/usdc';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData } from 'viem';
import { authorize, payTo, untilMined, usdc } from '../../test/bench.js';
import { encodeTransferWithAuthorization } from '../chain/calldata.js';
import { type Chain, openChain } from '../chain/index.js';
import {
  batchGasLimit,
  multicall3Address as contract,
  createSettlerWallet,
  maxBatchSize,
  type PaymentToSettle,
  type SettlerWallet,
} from './index.js';

const dearWallet: Address = '0x0000000000000000000000000000000000000dea';

let node: LocalChain;
let chain: Chain;
let wallet: SettlerWallet;
let payer: TestPayer;
let other: TestPayer;

beforeAll(async () => {
  node = await startTestChain();
  chain = openChain({ rpcUrl: node.rpcUrl, chainId: 84_532 });
  wallet = await createSettlerWallet({ privateKey: testPayer(70).privateKey, chain });
  [payer, other] = await Promise.all([fundedPayer(node, 1, 100_000n), fundedPayer(node, 2, 10n)]);
  await fundEth(node.rpcUrl, wallet.address);
  await installWallet(node.rpcUrl, dearWallet, payer.address, 168_000n);
  await mintUsdc(node.rpcUrl, dearWallet, 1_000n);
});
afterAll(async () => {
  chain.close();
  await node.kill();
});

async function payment(changes: Partial<Parameters<typeof authorize>[0]> = {}): Promise<PaymentToSettle> {
  return { asset: usdc, ...(await authorize({ payer, ...changes })) };
}

async function outcome(hash: Hex) {
  const [found] = await chain.receipts([await untilMined(node, hash)]);
  return found;
}

describe('signBatch', () => {
  it('signs what viem signs for the same call of aggregate3', async () => {
    const items = [await payment(), await payment({ value: 7n })];
    const fees = await chain.fees();
    const rows = items.map(({ asset, authorization, signature }) => ({
      target: asset,
      allowFailure: true,
      callData: encodeTransferWithAuthorization(authorization, signature),
    }));
    const raw = await testPayer(70).account.signTransaction({
      type: 'eip1559',
      chainId: 84_532,
      nonce: 5,
      gas: batchGasLimit(2),
      maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
      to: contract,
      data: encodeFunctionData({ abi: paymentBatchAbi, functionName: 'aggregate3', args: [rows] }),
    });
    expect(wallet.signBatch({ items, nonce: 5, contract }, fees)).toMatchObject({ raw, nonce: 5 });
  });

  it('settles all rows but a bad one in the middle, and the receipt names each payment that moved', async () => {
    const [first, bad, last] = [
      await payment({ value: 1n }),
      await payment({ payer: other, value: 11n }),
      await payment({ value: 3n }),
    ];
    const before = await usdcBalance(node.rpcUrl, payTo);
    const nonce = await chain.transactionCount(wallet.address);
    const signed = wallet.signBatch({ items: [first, bad, last], nonce, contract }, await chain.fees());
    expect(await chain.broadcast([signed.raw])).toEqual([{ status: 'accepted' }]);
    const found = await outcome(signed.hash);
    expect(found?.succeeded).toBe(true);
    expect(found?.transfers.map(({ value, authorization }) => [value, authorization?.nonce])).toEqual([
      [1n, first.authorization.nonce],
      [3n, last.authorization.nonce],
    ]);
    expect((await usdcBalance(node.rpcUrl, payTo)) - before).toBe(4n);
    const { authorizationUsed } = await chain.readPayer({
      asset: usdc,
      payer: other.address,
      nonce: bad.authorization.nonce,
    });
    expect(authorizationUsed).toBe(false);
  });

  it('gives the largest batch enough gas, below what a transaction may have (EIP-7825)', async () => {
    expect(batchGasLimit(maxBatchSize)).toBeLessThanOrEqual(2n ** 24n);
    const till = testPayer(81).address.toLowerCase() as Address;
    const payers = await Promise.all(Array.from({ length: maxBatchSize }, async (_, i) => fundedPayer(node, 100 + i)));
    const items = await Promise.all(payers.map(async (each) => await payment({ payer: each, to: till, value: 1n })));
    const nonce = await chain.transactionCount(wallet.address);
    const signed = wallet.signBatch({ items, nonce, contract }, await chain.fees());
    expect(await chain.broadcast([signed.raw])).toEqual([{ status: 'accepted' }]);
    expect((await outcome(signed.hash))?.transfers).toHaveLength(maxBatchSize);
  }, 60_000);

  it('refuses a batch of no payments, one that is too large, and a contract that is no address', async () => {
    const one = await payment();
    const fees = await chain.fees();
    expect(() => wallet.signBatch({ items: [], nonce: 0, contract }, fees)).toThrow(RangeError);
    const tooMany = Array.from({ length: maxBatchSize + 1 }, () => one);
    expect(() => wallet.signBatch({ items: tooMany, nonce: 0, contract }, fees)).toThrow(RangeError);
    expect(() => wallet.signBatch({ items: [one], nonce: 0, contract: '0x12' }, fees)).toThrow(TypeError);
  });

  it('is replaced at its nonce by the same batch for higher fees, or canceled', async () => {
    await callRpc(node.rpcUrl, 'evm_setAutomine', [false]);
    const nonce = await chain.transactionCount(wallet.address);
    const fees = await chain.fees();
    const batch = { items: [await payment({ value: 5n }), await payment({ value: 6n })], nonce, contract };
    const stuck = wallet.signBatch(batch, fees);
    await chain.broadcast([stuck.raw]);
    const replacement = wallet.signReplacement(batch, stuck.fees, fees);
    if (replacement === null) throw new Error('the fees are out of proportion');
    expect(await chain.broadcast([replacement.raw])).toEqual([{ status: 'accepted' }]);
    const cancel = wallet.signCancel({ nonce, fees: replacement.fees }, fees);
    expect(cancel?.nonce).toBe(nonce);
    await callRpc(node.rpcUrl, 'evm_setAutomine', [true]);
    await node.mine();
    expect((await outcome(replacement.hash))?.transfers.map(({ value }) => value)).toEqual([5n, 6n]);
  });
});

describe('simulateBatch', () => {
  it('judges each row: taken, refused in the token’s words, or short of gas', async () => {
    const items = [
      await payment(),
      await payment({ payer: other, value: 10n }),
      await payment({ payer: other, value: 10n }), // the balance covers one of the two
      await payment({ from: dearWallet }),
      await payment({ validBefore: 1n }),
      await payment(),
    ];
    expect(await chain.simulateBatch({ contract, items, sender: wallet.address })).toEqual([
      { ok: true },
      { ok: true },
      { ok: false, kind: 'reverted', reason: 'ERC20: transfer amount exceeds balance' },
      { ok: false, kind: 'out-of-gas', reason: `it needs more than ${String(batchGasLimit(6))} gas` },
      { ok: false, kind: 'reverted', reason: 'FiatTokenV2: authorization is expired' },
      { ok: true },
    ]);
    const gasLimit = batchGasLimit(6, 300_000n);
    const roomy = await chain.simulateBatch({ contract, items, gasLimit });
    expect(roomy.map(({ ok }) => ok)).toEqual([true, true, false, true, false, true]);
  });

  it('says of each row that a batch is too large for its gas, when not even the calldata fits', async () => {
    const items = [await payment(), await payment()];
    const verdicts = await chain.simulateBatch({ contract, items, gasLimit: 25_000n });
    const reason = 'it needs more than 25000 gas';
    expect(verdicts).toEqual(items.map(() => ({ ok: false, kind: 'out-of-gas', reason })));
  });

  it('takes the silence of an address without code for no verdict, neither of the contract nor of a token', async () => {
    const nobody: Address = '0x00000000000000000000000000000000000000dd';
    const one = await payment();
    await expect(chain.simulateBatch({ contract: nobody, items: [one] })).rejects.toMatchObject({
      kind: 'no-contract',
    });
    await expect(chain.simulateBatch({ contract, items: [{ ...one, asset: nobody }] })).rejects.toMatchObject({
      kind: 'not-a-token',
    });
    expect(await chain.simulateBatch({ contract, items: [] })).toEqual([]);
  });
});
