import { afterAll, beforeAll, describe, expect, it } from '@keyfare/jest-preset/globals';
import { type Address, encodeFunctionData, parseSignature, recoverTypedDataAddress } from 'viem';
import { callRpc, type LocalChain } from './chain/index.js';
import {
  type ExactPayload,
  encodeHeader,
  fundedPayer,
  paymentHeaderV1,
  paymentHeaderV2,
  signAuthorization,
  testPayer,
  usdcDomain,
  usdcRequirements,
} from './payers.js';
import { startTestChain } from './test-chain.js';
import { fundEth, installWallet, usdcAbi, usdcAddress, usdcBalance } from './usdc.js';

const payTo: Address = '0x00000000000000000000000000000000000000bb';
let chain: LocalChain;

beforeAll(async () => {
  chain = await startTestChain();
});
afterAll(async () => await chain.kill());

async function settle({ authorization, signature }: ExactPayload): Promise<unknown> {
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  const { v, r, s } = parseSignature(signature);
  const args = [from, to, BigInt(value), BigInt(validAfter), BigInt(validBefore), nonce, Number(v), r, s] as const;
  const data = encodeFunctionData({ abi: usdcAbi, functionName: 'transferWithAuthorization', args });
  const sender = testPayer(99).address;
  await fundEth(chain.rpcUrl, sender);
  await callRpc(chain.rpcUrl, 'anvil_impersonateAccount', [sender]);
  return await callRpc(chain.rpcUrl, 'eth_sendTransaction', [{ from: sender, to: usdcAddress, data }]);
}

/** The balance after the transaction, which the node mines a moment after it took it. */
async function balanceAfter(hash: unknown, holder: Address): Promise<bigint> {
  while ((await callRpc(chain.rpcUrl, 'eth_getTransactionReceipt', [hash])) === null) await new Promise(setImmediate);
  return await usdcBalance(chain.rpcUrl, holder);
}

describe('testPayer', () => {
  it('is the same payer in every run, and another for another number', () => {
    expect(testPayer(1).address).toBe(testPayer(1).address);
    expect(testPayer(1).address).not.toBe(testPayer(2).address);
    expect(testPayer(1).address).toMatch(/^0x[0-9a-fA-F]{40}$/);
  });
});

describe('signAuthorization', () => {
  it('signs what the token accepts', async () => {
    const payer = await fundedPayer(chain, 1, 1000n);
    const hash = await settle(await signAuthorization({ payer, to: payTo, value: 10n }));
    expect(await balanceAfter(hash, payer.address)).toBe(990n);
  });

  it('signs for a wallet that the payer owns', async () => {
    const wallet: Address = '0x0000000000000000000000000000000000a11e75';
    const payer = await fundedPayer(chain, 2, 1000n);
    await installWallet(chain.rpcUrl, wallet, payer.address);
    const funding = await settle(await signAuthorization({ payer, from: payer.address, to: wallet, value: 100n }));
    expect(await balanceAfter(funding, wallet)).toBe(100n);
    const payment = await settle(await signAuthorization({ payer, from: wallet, to: payTo, value: 40n }));
    expect(await balanceAfter(payment, wallet)).toBe(60n);
  });

  it('never repeats a nonce by itself, and signs every field as given', async () => {
    const payer = testPayer(3);
    const [one, two] = await Promise.all([1, 2].map(() => signAuthorization({ payer, to: payTo, value: 1n })));
    expect(one?.authorization.nonce).not.toBe(two?.authorization.nonce);
    const nonce = `0x${'ab'.repeat(32)}` as const;
    const payload = await signAuthorization({
      payer,
      to: payTo,
      value: 7n,
      validAfter: 1n,
      validBefore: 2n,
      nonce,
      domain: { ...usdcDomain, chainId: 1 },
    });
    expect(payload.authorization).toEqual({
      from: payer.address,
      to: payTo,
      value: '7',
      validAfter: '1',
      validBefore: '2',
      nonce,
    });
    const { authorization, signature } = payload;
    const signer = await recoverTypedDataAddress({
      domain: { ...usdcDomain, chainId: 1 },
      types: {
        TransferWithAuthorization: [
          { name: 'from', type: 'address' },
          { name: 'to', type: 'address' },
          { name: 'value', type: 'uint256' },
          { name: 'validAfter', type: 'uint256' },
          { name: 'validBefore', type: 'uint256' },
          { name: 'nonce', type: 'bytes32' },
        ],
      },
      primaryType: 'TransferWithAuthorization',
      message: { from: authorization.from, to: payTo, value: 7n, validAfter: 1n, validBefore: 2n, nonce },
      signature,
    });
    expect(signer).toBe(payer.address);
  });
});

function decode(text: string): unknown {
  return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
}

describe('payment headers', () => {
  it('have the members of their version, and let a test overwrite any', async () => {
    const payload = await signAuthorization({ payer: testPayer(4), to: payTo, value: 5n });
    const accepted = usdcRequirements(payTo, 5n);
    expect(decode(paymentHeaderV2({ payload, accepted, resourceUrl: 'http://a.test/b' }))).toEqual({
      x402Version: 2,
      resource: { url: 'http://a.test/b' },
      accepted: {
        scheme: 'exact',
        network: 'eip155:84532',
        amount: '5',
        asset: usdcAddress,
        payTo,
        maxTimeoutSeconds: 60,
        extra: { name: 'USDC', version: '2' },
      },
      payload,
    });
    expect(decode(paymentHeaderV1({ payload }))).toEqual({
      x402Version: 1,
      scheme: 'exact',
      network: 'base-sepolia',
      payload,
    });
    expect(decode(paymentHeaderV1({ payload }, { x402Version: 7 }))).toMatchObject({ x402Version: 7 });
    expect(decode(paymentHeaderV2({ payload, accepted }, { payload: null }))).toMatchObject({ payload: null });
  });

  it('are padded base64 of the standard alphabet', () => {
    expect(encodeHeader({ text: '??>>é' })).toBe(Buffer.from('{"text":"??>>é"}').toString('base64'));
    expect(encodeHeader({ a: 1 })).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });
});
