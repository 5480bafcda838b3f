import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { paymentBatchAbi, paymentBatchAddress } from '@keyfare/devstack/payment-batch';
import { fundEth, mintUsdc, usdcAbi, usdcAddress } from '@keyfare/devstack/usdc';
import { type Address, encodeFunctionData, type Hex, parseSignature } from 'viem';
import { fundedPayer, signAuthorization, testPayer } from './payers.js';

/** What settling in bulk saves. */
export interface BulkGas {
  /** Gas of one payment in a transaction of its own. */
  readonly single: number;
  /** Gas of one payment in a transaction of `count`. */
  readonly batch: number;
  /** `batch` by `single`. */
  readonly ratio: number;
}

/**
 * Measures the gas of a payment alone and in a batch of `count`, both of accounts in use: the payer and the till hold
 * USDC before, each payment has a payer of its own and a fresh nonce. Uses the test payers from 0 to `count` and two more.
 */
export async function measureBulkGas(chain: LocalChain, count = 100): Promise<BulkGas> {
  const sender = testPayer(count + 1).address;
  const till = testPayer(count + 2).address;
  await fundEth(chain.rpcUrl, sender);
  await callRpc(chain.rpcUrl, 'anvil_impersonateAccount', [sender]);
  await mintUsdc(chain.rpcUrl, till, 1_000_000n);
  const [alone, ...together] = await Promise.all(
    Array.from({ length: count + 1 }, async (_, index) => await transferOf(chain, index, till)),
  );
  const rows = together.map((callData) => ({ target: usdcAddress, allowFailure: true, callData }));
  const data = encodeFunctionData({ abi: paymentBatchAbi, functionName: 'aggregate3', args: [rows] });
  const single = await gasOf(chain, { from: sender, to: usdcAddress, data: alone as Hex }, 1);
  const batch = (await gasOf(chain, { from: sender, to: paymentBatchAddress, data }, count)) / count;
  return { single, batch, ratio: batch / single };
}

async function transferOf(chain: LocalChain, index: number, to: Address): Promise<Hex> {
  const payer = await fundedPayer(chain, index);
  const { authorization, signature } = await signAuthorization({ payer, to, value: 1_000n });
  const { from, value, validAfter, validBefore, nonce } = authorization;
  const { v, r, s } = parseSignature(signature);
  const args = [from, to, BigInt(value), BigInt(validAfter), BigInt(validBefore), nonce, Number(v), r, s] as const;
  return encodeFunctionData({ abi: usdcAbi, functionName: 'transferWithAuthorization', args });
}

/** Sends the call and gives its gas. Throws when another number of payments moved than it holds. */
async function gasOf(
  chain: LocalChain,
  call: { readonly from: Address; readonly to: Address; readonly data: Hex },
  payments: number,
): Promise<number> {
  const hash = await callRpc(chain.rpcUrl, 'eth_sendTransaction', [{ ...call, gas: '0xe00000' }]);
  await chain.mine();
  const receipt = (await callRpc(chain.rpcUrl, 'eth_getTransactionReceipt', [hash])) as {
    readonly gasUsed: Hex;
    readonly logs: readonly unknown[];
  };
  const moved = receipt.logs.length / 2; // AuthorizationUsed and Transfer for each
  if (moved !== payments) throw new Error(`${String(moved)} of ${String(payments)} payments moved`);
  return Number(receipt.gasUsed);
}
