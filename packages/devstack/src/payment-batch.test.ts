import { describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Address, decodeFunctionResult, encodeFunctionData, getAddress, type Hex } from 'viem';
import { callData, payee, relayer, useToken } from '../test/token.js';
import { readArtifact } from './artifact.js';
import { callRpc } from './chain/index.js';
import { paymentBatchAbi, paymentBatchAddress } from './payment-batch.js';
import { installWallet, usdcAddress } from './usdc.js';

const token = useToken();

/** Burns all gas it gets: INVALID (EIP-141). */
const burner: Address = '0x00000000000000000000000000000000000b0b0b';

interface Row {
  readonly target: Address;
  readonly allowFailure: boolean;
  readonly callData: Hex;
}

function encode(rows: readonly Row[]): Hex {
  return encodeFunctionData({ abi: paymentBatchAbi, functionName: 'aggregate3', args: [rows] });
}

async function payment(value = 10n): Promise<Row> {
  const message = token.message({ value });
  const signed = callData('transferWithAuthorization', message, await token.sign(message), 'vrs');
  return { target: usdcAddress, allowFailure: true, callData: signed };
}

async function call(rows: readonly Row[], gas: Hex = '0x100000') {
  const params = [{ from: relayer, to: paymentBatchAddress, data: encode(rows), gas }, 'latest'];
  const data = (await callRpc(token.chain.rpcUrl, 'eth_call', params)) as Hex;
  return decodeFunctionResult({ abi: paymentBatchAbi, functionName: 'aggregate3', data });
}

describe('PaymentBatch', () => {
  it('moves every payment of a batch but the one in the middle that the token refuses', async () => {
    const [first, last] = [await payment(1n), await payment(3n)];
    const tooMuch = await payment(10n ** 18n);
    const before = BigInt(await token.read('balanceOf', [payee]));
    const receipt = await token.send(encode([first, tooMuch, last]), { to: paymentBatchAddress });
    expect(receipt.status).toBe('0x1');
    expect(receipt.logs).toHaveLength(4);
    expect(BigInt(await token.read('balanceOf', [payee])) - before).toBe(4n);
  });

  it('reverts as a whole when a call fails that may not', async () => {
    const [first, used] = [await payment(), await payment()];
    await token.send(used.callData);
    const receipt = await token.send(encode([first, { ...used, allowFailure: false }]), { to: paymentBatchAddress });
    expect(receipt).toMatchObject({ status: '0x0', logs: [] });
    expect(await call([first])).toEqual([{ success: true, returnData: '0x' }]);
  });

  it('gives a row that burns its gas no more than its share, so that the rows behind it still move', async () => {
    await callRpc(token.chain.rpcUrl, 'anvil_setCode', [burner, '0xfe']);
    const burn: Row = { target: burner, allowFailure: true, callData: '0x' };
    const rows = [burn, await payment(), burn, await payment()];
    const receipt = await token.send(encode(rows), { to: paymentBatchAddress });
    expect(receipt).toMatchObject({ status: '0x1' });
    expect(receipt.logs).toHaveLength(4);
  });

  it('gives back what each call returned or why it reverted, in the order of the rows', async () => {
    const balance = encodeFunctionData({
      abi: readArtifact('TestUSDC').abi,
      functionName: 'balanceOf',
      args: [token.payer.address],
    });
    const tooMuch = await payment(10n ** 18n);
    const results = await call([{ target: usdcAddress, allowFailure: true, callData: balance }, tooMuch]);
    expect(results[0]).toEqual({ success: true, returnData: await token.read('balanceOf', [token.payer.address]) });
    expect(results[1]?.success).toBe(false);
    expect(results[1]?.returnData.startsWith('0x08c379a0')).toBe(true);
    expect(await call([])).toEqual([]);
  });

  it('has the interface of Multicall3’s aggregate3, at Multicall3’s address', () => {
    const { abi } = readArtifact('PaymentBatch');
    expect(abi).toHaveLength(1);
    expect(encodeFunctionData({ abi, functionName: 'aggregate3', args: [[]] })).toBe(encode([]));
    expect(encode([]).slice(0, 10)).toBe('0x82ad56cb');
    expect(getAddress(paymentBatchAddress)).toBe('0xcA11bde05977b3631167028862bE2a173976CA11');
  });

  it('takes payments of wallet contracts beside those of keys', async () => {
    const wallet: Address = '0x00000000000000000000000000000000000a11e7';
    await installWallet(token.chain.rpcUrl, wallet, token.payer.address);
    const message = token.message({ from: wallet, value: 0n });
    const signed = callData('transferWithAuthorization', message, await token.sign(message), 'bytes');
    const rows = [await payment(), { target: usdcAddress, allowFailure: true, callData: signed }];
    expect((await call(rows)).map(({ success }) => success)).toEqual([true, true]);
  });
});
