import { type Hex, hexToBytes, numberToHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { type Authorization, findNetwork, type Network, type PaymentTerms, type Token } from '../src/x402/index.js';

/** A payer with a well-known key; it holds nothing anywhere. */
export const payer = privateKeyToAccount(numberToHex(0x1111n, { size: 32 }));

/** A recipient, in checksum case as an operator would configure it. */
export const payTo: Hex = '0x209693Bc6afc0C5328bA36FaF03C514EF312287C';

/** The instant that tests take for now: 1,800,000,000 seconds. */
export const now: Date = new Date('2027-01-15T08:00:00Z');

/** The EIP-712 types of EIP-3009, for viem. */
export const transferTypes = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

/** A network of the table. */
export function networkOf(name: string): Network {
  const network = findNetwork(name);
  if (network === null) throw new Error(`${name} is not in the table`);
  return network;
}

/** Terms of a tenth of a cent on Base Sepolia, but for what `changes` says. */
export function termsWith(changes: Partial<PaymentTerms> = {}): PaymentTerms {
  const network = changes.network ?? networkOf('base-sepolia');
  return {
    network,
    asset: network.usdc,
    payTo,
    amount: 1000n,
    flow: 'authorization',
    maxTimeoutSeconds: 60,
    resourceUrl: 'https://api.example.com/v1/forecast',
    description: 'A forecast',
    mimeType: 'application/json',
    ...changes,
  };
}

/** An authorization that pays `termsWith()`, but for what `changes` says. */
export function authorizationWith(changes: Partial<Authorization> = {}): Authorization {
  return {
    from: payer.address.toLowerCase() as Hex,
    to: payTo.toLowerCase() as Hex,
    value: 1000n,
    validAfter: 0n,
    validBefore: 1_800_000_060n,
    nonce: numberToHex(1n, { size: 32 }),
    ...changes,
  };
}

/** The EIP-712 domain of a token, for viem. */
export function domainOf({ name, version, address }: Token, chainId: number) {
  return { name, version, chainId, verifyingContract: address };
}

/** The payer's signature over an authorization, made with viem. */
export function signWithViem(message: Authorization, network: Network = networkOf('base-sepolia')): Promise<Hex> {
  const domain = domainOf(network.usdc, network.chainId);
  return payer.signTypedData({ domain, types: transferTypes, primaryType: 'TransferWithAuthorization', message });
}

/** The bytes of a signature, to be changed at will. */
export function signatureBytes(signature: Hex): Uint8Array {
  return Uint8Array.from(hexToBytes(signature));
}
