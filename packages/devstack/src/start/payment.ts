import { randomBytes } from 'node:crypto';
import { toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import type { Stack } from './stack.js';
import { demoPath } from './story.js';

const validSeconds = 3_600;

/** The offer of a 402, as far as a payment repeats it (x402 version 2, `PaymentRequirements`). */
interface Offer {
  readonly amount: string;
  readonly payTo: `0x${string}`;
  readonly asset: `0x${string}`;
  readonly extra: { readonly name: string; readonly version: string };
}

/**
 * A payment for one call of the demo route, by the demo wallet: the value of a `PAYMENT-SIGNATURE` header (x402 version
 * 2, scheme `exact`, EIP-3009). The official client signs for a minute; this one can be copied from a screen within the
 * hour.
 */
export async function signPayment(stack: Stack): Promise<string> {
  const response = await fetch(`${stack.api}${demoPath}`);
  const required = JSON.parse(Buffer.from(response.headers.get('payment-required') ?? '', 'base64').toString()) as {
    readonly accepts: readonly [Offer];
  };
  const [accepted] = required.accepts;
  const { address: from, privateKey } = stack.payer;
  const validBefore = BigInt(Math.floor(Date.now() / 1_000) + validSeconds);
  const message = {
    from,
    to: accepted.payTo,
    value: BigInt(accepted.amount),
    validAfter: 0n,
    validBefore,
    nonce: toHex(randomBytes(32)),
  };
  const signature = await privateKeyToAccount(privateKey).signTypedData({
    domain: { ...accepted.extra, chainId: stack.chain.chainId, verifyingContract: accepted.asset },
    types: { TransferWithAuthorization: transferWithAuthorization },
    primaryType: 'TransferWithAuthorization',
    message,
  });
  const authorization = Object.fromEntries(Object.entries(message).map(([name, value]) => [name, String(value)]));
  const payload = { x402Version: 2, accepted, payload: { signature, authorization } };
  return Buffer.from(JSON.stringify(payload)).toString('base64');
}

/** EIP-3009, `TRANSFER_WITH_AUTHORIZATION_TYPEHASH`. */
const transferWithAuthorization = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
];
