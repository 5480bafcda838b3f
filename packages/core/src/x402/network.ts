import type { Hex } from '../encoding/index.js';

/** An EVM address. Lower-case everywhere in Keyfare; only wire formats carry the checksummed spelling. */
export type Address = Hex;

/** An ERC-20 token that can be paid with, and its EIP-712 domain. */
export interface Token {
  /** The contract, lower-case. */
  readonly address: Address;
  /** The contract as published, with its EIP-55 checksum: the spelling for the wire. */
  readonly checksumAddress: Address;
  /** `name` of the EIP-712 domain; not always the token's symbol. */
  readonly name: string;
  /** `version` of the EIP-712 domain. */
  readonly version: string;
  readonly decimals: number;
}

/** A chain on which payments are taken. */
export interface Network {
  /** Its name in x402 version 1. */
  readonly name: string;
  /** Its CAIP-2 identifier, which x402 version 2 uses. */
  readonly caip2: `eip155:${number}`;
  readonly chainId: number;
  readonly usdc: Token;
}

/** The networks whose USDC takes EIP-3009 authorizations and whose names clients of version 1 know. */
export const networks: readonly Network[] = Object.freeze([
  network('base', 8453, usdc('0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913', 'USD Coin')),
  network('base-sepolia', 84532, usdc('0x036CbD53842c5426634e7929541eC2318f3dCF7e', 'USDC')),
  network('avalanche', 43114, usdc('0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E', 'USD Coin')),
  network('polygon', 137, usdc('0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359', 'USD Coin')),
  network('sei', 1329, usdc('0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392', 'USDC')),
  network('sei-testnet', 1328, usdc('0x4fCF1784B31630811181f670Aea7A7bEF803eaED', 'USDC')),
]);

const byIdentifier = new Map(
  networks.flatMap((entry) => [[entry.name, entry] as const, [entry.caip2, entry] as const]),
);

/** The network with this version 1 name or CAIP-2 identifier, or null if payments on it are not taken. Total. */
export function findNetwork(nameOrCaip2: string): Network | null {
  return byIdentifier.get(nameOrCaip2) ?? null;
}

function network(name: string, chainId: number, token: Token): Network {
  return Object.freeze({ name, caip2: `eip155:${chainId}` as const, chainId, usdc: token });
}

function usdc(checksumAddress: Address, name: string): Token {
  const address = checksumAddress.toLowerCase() as Address;
  return Object.freeze({ address, checksumAddress, name, version: '2', decimals: 6 });
}
