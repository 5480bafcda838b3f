import type { Hex } from '@keyfare/core/encoding';
import type { Address, Authorization } from '@keyfare/core/x402';
import { callRpc, type LocalChain } from '@keyfare/devstack/chain';
import { type AuthorizationRequest, signAuthorization } from '@keyfare/devstack/payers';
import { usdcAddress } from '@keyfare/devstack/usdc';

/** The test USDC, as the packages write addresses: in lower case. */
export const usdc = usdcAddress.toLowerCase() as Address;

/** A payee without history. */
export const payTo: Address = '0x00000000000000000000000000000000000000bb';

/** A signed authorization, parsed as the core gives it to this package. */
export async function authorize(
  request: Omit<AuthorizationRequest, 'to' | 'value'> & Partial<Pick<AuthorizationRequest, 'to' | 'value'>>,
): Promise<{ authorization: Authorization; signature: Hex }> {
  const { authorization, signature } = await signAuthorization({ to: payTo, value: 10n, ...request });
  return {
    authorization: {
      from: authorization.from.toLowerCase() as Address,
      to: authorization.to.toLowerCase() as Address,
      value: BigInt(authorization.value),
      validAfter: BigInt(authorization.validAfter),
      validBefore: BigInt(authorization.validBefore),
      nonce: authorization.nonce,
    },
    signature,
  };
}

/**
 * Waits until the transaction is in a block; says nothing about whether it succeeded. A node that mines at once
 * sometimes leaves the last of many in its pool until something wakes it up.
 */
export async function untilMined(chain: LocalChain, hash: Hex): Promise<Hex> {
  for (let looks = 1; (await callRpc(chain.rpcUrl, 'eth_getTransactionReceipt', [hash])) === null; looks += 1) {
    if (looks % 500 === 0) await chain.mine(1);
    await new Promise(setImmediate);
  }
  return hash;
}
