import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { signAuthorization, type TestPayer, testPayer, usdcDomain } from '@keyfare/devstack/payers';
import { paymentBatchAbi, paymentBatchAddress } from '@keyfare/devstack/payment-batch';
import { fundEth, usdcAbi } from '@keyfare/devstack/usdc';
import { type Address, encodeFunctionData, type Hex, parseSignature } from 'viem';
import { randomNonce } from './log-documents.js';

const relayer = testPayer(90).address;

/** A payment that was settled on the chain. */
export interface Settled {
  readonly payer: string;
  readonly payTo: string;
  readonly nonce: Hex;
  readonly amount: bigint;
  /** The contract of the token, lower-case. */
  readonly asset: string;
  readonly transaction: Hex;
}

/**
 * Settles payments by authorization, all of them in one transaction, as the API does in bulk. With `allowFailure` a row
 * that reverts leaves the others alone. `others` are calls of other people in the same transaction.
 */
export async function settle(
  chain: LocalChain,
  requests: readonly {
    payer: TestPayer;
    payTo: string;
    amount?: bigint;
    nonce?: Hex;
    domain?: typeof usdcDomain;
  }[],
  {
    allowFailure = false,
    others = [],
  }: { allowFailure?: boolean; others?: readonly { target: Hex; data: Hex }[] } = {},
): Promise<readonly Settled[]> {
  await fundEth(chain.rpcUrl, relayer);
  await callRpc(chain.rpcUrl, 'anvil_impersonateAccount', [relayer]);
  const signed = await Promise.all(
    requests.map(async ({ payer, payTo, amount = 1_000n, nonce = randomNonce() as Hex, domain = usdcDomain }) => ({
      payer: payer.address.toLowerCase(),
      payTo: payTo.toLowerCase(),
      nonce,
      amount,
      asset: domain.verifyingContract.toLowerCase(),
      target: domain.verifyingContract,
      data: await transferData({ payer, payTo: payTo as Address, amount, nonce, domain }),
    })),
  );
  const data = encodeFunctionData({
    abi: paymentBatchAbi,
    functionName: 'aggregate3',
    args: [
      [...others, ...signed.map(({ target, data: call }) => ({ target, data: call }))].map((each) => {
        return { target: each.target, allowFailure, callData: each.data };
      }),
    ],
  });
  const hash = (await callRpc(chain.rpcUrl, 'eth_sendTransaction', [
    { from: relayer, to: paymentBatchAddress, data, gas: '0x800000' },
  ])) as Hex;
  let receipt: { status: Hex } | null = null;
  while (receipt === null) {
    receipt = (await callRpc(chain.rpcUrl, 'eth_getTransactionReceipt', [hash])) as { status: Hex } | null;
  }
  if (receipt.status !== '0x1') throw new Error('the settlement reverted');
  return signed.map(({ payer, payTo, nonce, amount, asset }) => {
    return { payer, payTo, nonce, amount, asset, transaction: hash };
  });
}

/** A payment by authorization; `domain` is that of its token. */
interface Transfer {
  readonly payer: TestPayer;
  readonly payTo: Address;
  readonly amount: bigint;
  readonly nonce: Hex;
  readonly domain?: typeof usdcDomain;
}

/** The call of the token that moves a payment. */
export async function transferData(request: Transfer): Promise<Hex> {
  const { payer, payTo: to, amount: value, nonce, domain = usdcDomain } = request;
  // The clock of a test chain may have been set forward.
  const validBefore = BigInt(Math.floor(Date.now() / 1_000)) + 100_000_000n;
  const { signature } = await signAuthorization({ payer, to, value, nonce, validBefore, domain });
  const { r, s, v, yParity } = parseSignature(signature);
  return encodeFunctionData({
    abi: usdcAbi,
    functionName: 'transferWithAuthorization',
    args: [payer.address, to, value, 0n, validBefore, nonce, Number(v ?? BigInt(yParity) + 27n), r, s],
  });
}
