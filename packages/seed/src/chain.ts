import { callRpc } from '@keyfare/devstack/chain';
import {
  eurcDomain,
  paymentHeaderV2,
  signAuthorization,
  type TestPayer,
  type TokenDomain,
  usdcDomain,
  usdcRequirements,
} from '@keyfare/devstack/payers';
import { fundEth, usdcAbi } from '@keyfare/devstack/usdc';
import { type Address, encodeAbiParameters, encodeFunctionData, type Hex, keccak256, parseSignature } from 'viem';
import type { Asset } from './schedule.js';

export const domains: Readonly<Record<Asset, TokenDomain>> = { USDC: usdcDomain, EURC: eurcDomain };

/** A chain whose blocks are dated by a history. */
export interface HistoryChain {
  readonly rpcUrl: string;
  /** The next block, an empty one, is of this time, or a second after the newest where that is later. */
  moveTo(at: Date): Promise<void>;
  mine(blocks: number): Promise<void>;
  call(method: string, ...params: readonly unknown[]): Promise<unknown>;
}

/** Throws for a chain that is past the begin of the history already: its blocks cannot be dated before the newest. */
export async function historyChain(rpcUrl: string, begin: Date): Promise<HistoryChain> {
  const call = async (method: string, ...params: readonly unknown[]): Promise<unknown> =>
    callRpc(rpcUrl, method, params);
  const newest = async (): Promise<number> => {
    const block = (await call('eth_getBlockByNumber', 'latest', false)) as { timestamp: Hex };
    return Number(block.timestamp);
  };
  if ((await newest()) > begin.getTime() / 1_000) {
    throw new Error(`the chain at ${rpcUrl} is past ${begin.toISOString()}: it must begin before the history`);
  }
  const mine = async (blocks: number): Promise<void> => {
    for (let block = 0; block < blocks; block += 1) await call('evm_mine');
  };
  return {
    rpcUrl,
    call,
    mine,
    moveTo: async (at) => {
      const seconds = Math.max(Math.floor(at.getTime() / 1_000), (await newest()) + 1);
      await call('evm_setNextBlockTimestamp', `0x${seconds.toString(16)}`);
      await call('evm_mine');
    },
  };
}

/** A payment, signed. */
export interface Signed {
  readonly headers: Readonly<Record<string, string>>;
  readonly nonce: Hex;
}

interface Payment {
  readonly payer: TestPayer;
  readonly to: Address;
  readonly amount: bigint;
  readonly asset: Asset;
  readonly nonce: Hex;
  readonly validBefore: Date;
}

/** The payment as x402 version 2 carries it. */
export async function signPayment({ payer, to, amount, asset, nonce, validBefore }: Payment): Promise<Signed> {
  const domain = domains[asset];
  const payload = await signAuthorization({
    payer,
    to,
    value: amount,
    domain,
    nonce,
    validBefore: BigInt(Math.floor(validBefore.getTime() / 1_000)),
  });
  const header = paymentHeaderV2({ payload, accepted: usdcRequirements(to, amount, domain) });
  return { headers: { 'payment-signature': header, 'idempotency-key': `call-${nonce}` }, nonce };
}

/** Sends a signed authorization to the token from an account of nobody's, as anybody may. Answers the transaction. */
export async function submitAsStranger(chain: HistoryChain, payment: Payment): Promise<Hex> {
  const { payer, to, amount, asset, nonce, validBefore } = payment;
  const domain = domains[asset];
  const before = BigInt(Math.floor(validBefore.getTime() / 1_000));
  const signed = await signAuthorization({ payer, to, value: amount, domain, nonce, validBefore: before });
  const { r, s, v, yParity } = parseSignature(signed.signature);
  const data = encodeFunctionData({
    abi: usdcAbi,
    functionName: 'transferWithAuthorization',
    args: [payer.address, to, amount, 0n, before, nonce, Number(v ?? BigInt(yParity) + 27n), r, s],
  });
  const from: Address = '0x00000000000000000000000000000000005eed5e';
  await fundEth(chain.rpcUrl, from);
  await chain.call('anvil_impersonateAccount', from);
  const hash = (await chain.call('eth_sendTransaction', {
    from,
    to: domain.verifyingContract,
    data,
    gas: '0x40000',
  })) as Hex;
  let receipt: { readonly status: Hex } | null = null;
  while (receipt === null) receipt = (await chain.call('eth_getTransactionReceipt', hash)) as { status: Hex } | null;
  if (receipt.status !== '0x1') throw new Error(`the transfer ${hash} reverted`);
  return hash;
}

/** Where the test tokens keep balances: the second slot of the contract. */
const balancesSlot = 1n;

/** Gives a wallet tokens by no transfer, as no good token does. */
export async function conjure(chain: HistoryChain, asset: Asset, wallet: Address, amount: bigint): Promise<void> {
  const token = domains[asset].verifyingContract;
  const slot = keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [wallet, balancesSlot]));
  const held = BigInt((await chain.call('eth_getStorageAt', token, slot, 'latest')) as Hex);
  await chain.call('anvil_setStorageAt', token, slot, `0x${(held + amount).toString(16).padStart(64, '0')}`);
}
