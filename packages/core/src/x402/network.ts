import type { Hex } from '../encoding/index.js';
import { decimalsOf, type TokenCode } from '../money/index.js';

/** An EVM address. Lower-case everywhere in Keyfare; only wire formats carry the checksummed spelling. */
export type Address = Hex;

/**
 * An ERC-20 token that can be paid with, and its EIP-712 domain. It takes EIP-3009 authorizations with a signature of
 * any length, as Circle's FiatToken does since version 2.2.
 */
export interface Token {
  readonly symbol: TokenCode;
  /** ISO 4217: what its issuer pays out for it, one for one. */
  readonly currency: 'USD' | 'EUR';
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
  /** Every token that can be paid with, USDC first. */
  readonly tokens: readonly [Token, ...Token[]];
}

/**
 * The networks whose USDC takes EIP-3009 authorizations and whose names clients of version 1 know. EURC: addresses by
 * Circle's list of EURC contracts; names of domains differ by network (`keyfare doctor` compares each with its
 * contract).
 */
export const networks: readonly Network[] = Object.freeze([
  network('base', 8453, [
    usdc('0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913', 'USD Coin'),
    eurc('0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42', 'EURC'),
  ]),
  network('base-sepolia', 84532, [
    usdc('0x036CbD53842c5426634e7929541eC2318f3dCF7e', 'USDC'),
    eurc('0x808456652fdb597867f38412077A9182bf77359F', 'EURC'),
  ]),
  network('avalanche', 43114, [
    usdc('0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E', 'USD Coin'),
    eurc('0xC891EB4cbdEFf6e073e859e987815Ed1505c2ACD', 'Euro Coin'),
  ]),
  network('polygon', 137, [usdc('0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359', 'USD Coin')]),
  network('sei', 1329, [usdc('0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392', 'USDC')]),
  network('sei-testnet', 1328, [usdc('0x4fCF1784B31630811181f670Aea7A7bEF803eaED', 'USDC')]),
]);

const byIdentifier = new Map(
  networks.flatMap((entry) => [[entry.name, entry] as const, [entry.caip2, entry] as const]),
);

/** The network with this version 1 name or CAIP-2 identifier, or null if payments on it are not taken. Total. */
export function findNetwork(nameOrCaip2: string): Network | null {
  return byIdentifier.get(nameOrCaip2) ?? null;
}

/** The token of the network with this contract, in either case of its digits; null if there is none. Total. */
export function findToken({ tokens }: Network, contract: string): Token | null {
  const address = contract.toLowerCase();
  return tokens.find((token) => token.address === address) ?? null;
}

/** The token of the network with this symbol; null if it has none. Total. */
export function tokenBySymbol({ tokens }: Network, symbol: string): Token | null {
  return tokens.find((token) => token.symbol === symbol) ?? null;
}

function network(name: string, chainId: number, tokens: readonly [Token, ...Token[]]): Network {
  const caip2 = `eip155:${chainId}` as const;
  return Object.freeze({ name, caip2, chainId, usdc: tokens[0], tokens: Object.freeze(tokens) });
}

function usdc(checksumAddress: Address, name: string): Token {
  return tokenOf({ symbol: 'USDC', currency: 'USD', checksumAddress, name });
}

function eurc(checksumAddress: Address, name: string): Token {
  return tokenOf({ symbol: 'EURC', currency: 'EUR', checksumAddress, name });
}

function tokenOf(given: Pick<Token, 'symbol' | 'currency' | 'checksumAddress' | 'name'>): Token {
  const address = given.checksumAddress.toLowerCase() as Address;
  return Object.freeze({ ...given, address, version: '2', decimals: decimalsOf[given.symbol] });
}
