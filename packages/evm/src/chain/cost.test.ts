import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { testPayer } from '@keyfare/devstack/payers';
import { startTestChain } from '@keyfare/devstack/test-chain';
import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { encodeFunctionData, keccak256, parseAbi } from 'viem';
import { authorize, payTo, usdc } from '../../test/bench.js';
import { createSettlerWallet, multicall3Address } from '../settler/index.js';
import { capFees } from './ceiling.js';
import { type Chain, costInAsset, estimateCost, FeeTooHigh, isWorthSettling, openChain } from './index.js';

const gwei = 10n ** 9n;
const fees = { baseFeePerGas: 10n * gwei, maxPriorityFeePerGas: gwei, maxFeePerGas: 21n * gwei };
const oracle = '0x420000000000000000000000000000000000000f';

let node: LocalChain;
let chain: Chain;

beforeAll(async () => {
  node = await startTestChain();
  chain = openChain({ rpcUrl: node.rpcUrl, chainId: 84_532 });
});
afterAll(async () => {
  chain.close();
  await node.kill();
});

describe('a fee ceiling', () => {
  it('cuts the room for a rising base fee, and refuses what the next block asks above it', () => {
    expect(capFees(fees, {})).toBe(fees);
    expect(capFees(fees, { maxGasPrice: 21n * gwei })).toBe(fees);
    expect(capFees(fees, { maxGasPrice: 11n * gwei })).toEqual({ ...fees, maxFeePerGas: 11n * gwei });
    expect(() => capFees(fees, { maxGasPrice: 11n * gwei - 1n })).toThrow(FeeTooHigh);
  });

  it('is kept by the reading of fees when somebody forces the base fee up', async () => {
    await callRpc(node.rpcUrl, 'anvil_setNextBlockBaseFeePerGas', [`0x${(587n * gwei).toString(16)}`]);
    await node.mine();
    await expect(chain.fees({ maxGasPrice: 5n * gwei })).rejects.toMatchObject({
      name: 'FeeTooHigh',
      kind: 'gas-price',
      ceiling: 5n * gwei,
    });
    expect((await chain.fees()).baseFeePerGas).toBeGreaterThan(400n * gwei);
  });

  it('is kept by the wallet: nothing dearer is signed, neither first nor as a replacement, alone or in a batch', async () => {
    const { privateKey } = testPayer(70);
    const limits = { maxGasPrice: 30n * gwei, maxCostPerPayment: 150_000n * 21n * gwei };
    const wallet = await createSettlerWallet({ privateKey, chain, ceiling: limits });
    const item = { asset: usdc, ...(await authorize({ payer: testPayer(1), to: payTo })) };
    const settlement = { ...item, nonce: 0 };
    const batch = { items: [item, item], nonce: 0, contract: multicall3Address };
    const dearer = { maxFeePerGas: 21n * gwei + 1n, maxPriorityFeePerGas: gwei };
    expect(wallet.signTransfers([settlement], fees)).toHaveLength(1);
    expect(() => wallet.signTransfers([settlement], dearer)).toThrow(FeeTooHigh);
    expect(wallet.signBatch(batch, fees).nonce).toBe(0); // 250,000 gas for two payments
    expect(() => wallet.signBatch({ ...batch, gasLimit: 300_001n }, fees)).toThrow(FeeTooHigh);
    expect(() => wallet.signBatch(batch, { ...fees, maxFeePerGas: 30n * gwei + 1n })).toThrow(FeeTooHigh);
    expect(wallet.signReplacement(settlement, fees, fees)).toBeNull(); // an eighth above is above the ceiling
    expect(wallet.signCancel({ nonce: 0, fees }, fees)).not.toBeNull();
    expect(wallet.signCancel({ nonce: 0, fees: { ...fees, maxFeePerGas: 27n * gwei } }, fees)).toBeNull();
  });
});

describe('what a settlement costs', () => {
  it('is gas at the price of the next block, and the fee for layer 1', () => {
    expect(estimateCost(100n, fees)).toBe(1_100n * gwei);
    expect(estimateCost(100n, { ...fees, maxFeePerGas: 10n * gwei }, 7n)).toBe(1_000n * gwei + 7n);
  });

  it('is rounded up in the units of the asset, at the price of an ether', () => {
    const usdcForEther = 3_000_000_000n;
    expect(costInAsset(10n ** 18n, usdcForEther)).toBe(usdcForEther);
    expect(costInAsset(1n, usdcForEther)).toBe(1n);
    expect(costInAsset(0n, usdcForEther)).toBe(0n);
  });

  it('decides whether a payment is worth settling: gas may take the share of it that is allowed', () => {
    const value = { amount: 1_000n, cost: 10n ** 12n / 3n, etherPrice: 3_000_000_000n }; // $0.001 against $0.001
    expect(isWorthSettling(value)).toBe(true);
    expect(isWorthSettling({ ...value, amount: 999n })).toBe(false);
    expect(isWorthSettling({ ...value, maxCostPercent: 50n })).toBe(false);
    expect(isWorthSettling({ ...value, amount: 0n })).toBe(false);
    expect(isWorthSettling({ ...value, amount: 0n, cost: 0n })).toBe(true);
  });

  it('includes what an OP-stack chain takes for the data on layer 1, and nothing where there is no oracle', async () => {
    const raw = '0x02c0ffee';
    expect(await chain.l1Fee(raw)).toBe(0n);
    const abi = parseAbi(['function getL1Fee(bytes) view returns (uint256)']);
    const asked = encodeFunctionData({ abi, functionName: 'getL1Fee', args: [raw] });
    // Returns the hash of its calldata, so that the answer proves what was asked.
    await callRpc(node.rpcUrl, 'anvil_setCode', [oracle, '0x3660006000373660002060005260206000f3']);
    expect(await chain.l1Fee(raw)).toBe(BigInt(keccak256(asked)));
    await callRpc(node.rpcUrl, 'anvil_setCode', [oracle, '0x60006000fd']);
    expect(await chain.l1Fee(raw)).toBe(0n);
  });
});
