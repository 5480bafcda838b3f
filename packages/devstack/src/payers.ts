import { randomBytes } from 'node:crypto';
import { type Address, type Hex, keccak256, toHex } from 'viem';
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import type { LocalChain } from './chain/index.js';
import { eurcAddress, mintUsdc, usdcAddress } from './usdc.js';

/** A wallet that pays in tests. */
export interface TestPayer {
  readonly address: Address;
  readonly privateKey: Hex;
  readonly account: PrivateKeyAccount;
}

/** The payer of that number: the same in every run. Its key is public: never send it anything of value. */
export function testPayer(number: number): TestPayer {
  const privateKey = keccak256(toHex(`keyfare test payer ${String(number)}`));
  const account = privateKeyToAccount(privateKey);
  return { address: account.address, privateKey, account };
}

/** The payer of that number with `amount` (atomic units, default 100 USDC) more on the chain than before. */
export async function fundedPayer(chain: LocalChain, number: number, amount = 100_000_000n): Promise<TestPayer> {
  const payer = testPayer(number);
  await mintUsdc(chain.rpcUrl, payer.address, amount);
  return payer;
}

/** Where and by whom an authorization is valid: the EIP-712 domain of the token. */
export interface TokenDomain {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: Address;
}

/** The test USDC of the local chain. */
export const usdcDomain: TokenDomain = { name: 'USDC', version: '2', chainId: 84_532, verifyingContract: usdcAddress };

/** The test EURC of the local chain. */
export const eurcDomain: TokenDomain = { ...usdcDomain, name: 'EURC', verifyingContract: eurcAddress };

/** What to sign. Times are Unix seconds. */
export interface AuthorizationRequest {
  readonly payer: TestPayer;
  readonly to: Address;
  /** Atomic units. */
  readonly value: bigint;
  /** Default: the payer's address. Another one for a smart wallet that the payer owns. */
  readonly from?: Address;
  /** Default 0, as the official v2 client has it. */
  readonly validAfter?: bigint;
  /** Default: an hour from now. */
  readonly validBefore?: bigint;
  /** 32 bytes; random by default. */
  readonly nonce?: Hex;
  /** Default `usdcDomain`. */
  readonly domain?: TokenDomain;
}

/** The payload of scheme `exact` with EIP-3009, as it goes over the wire (x402 specs/schemes/exact, EVM). */
export interface ExactPayload {
  readonly signature: Hex;
  readonly authorization: {
    readonly from: Address;
    readonly to: Address;
    readonly value: string;
    readonly validAfter: string;
    readonly validBefore: string;
    readonly nonce: Hex;
  };
}

const types = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const;

/** Signs a transfer authorization (EIP-3009, EIP-712) with the payer's key. Nothing in the request is checked. */
export async function signAuthorization(request: AuthorizationRequest): Promise<ExactPayload> {
  const { payer, to, value, domain = usdcDomain } = request;
  const { from = payer.address, nonce = randomNonce(), validAfter = 0n } = request;
  const validBefore = request.validBefore ?? BigInt(Math.floor(Date.now() / 1000)) + 3600n;
  const message = { from, to, value, validAfter, validBefore, nonce };
  const signature = await payer.account.signTypedData({
    domain: { ...domain },
    types,
    primaryType: 'TransferWithAuthorization',
    message,
  });
  const texts = { value: String(value), validAfter: String(validAfter), validBefore: String(validBefore) };
  return { signature, authorization: { from, to, ...texts, nonce } };
}

/** A nonce as clients make it: 32 random bytes. */
export function randomNonce(): Hex {
  return toHex(randomBytes(32));
}

/** One entry of `accepts` in a v2 402 (x402 specification v2, PaymentRequirements). */
export interface Requirements {
  readonly scheme: string;
  readonly network: string;
  readonly amount: string;
  readonly asset: string;
  readonly payTo: string;
  readonly maxTimeoutSeconds: number;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The requirements that a payment of `amount` USDC on the local chain answers; of another token with its domain. */
export function usdcRequirements(payTo: Address, amount: bigint, domain: TokenDomain = usdcDomain): Requirements {
  const { name, version, chainId, verifyingContract } = domain;
  return {
    scheme: 'exact',
    network: `eip155:${String(chainId)}`,
    amount: String(amount),
    asset: verifyingContract,
    payTo,
    maxTimeoutSeconds: 60,
    extra: { name, version },
  };
}

/** A v2 payment: the text of a PAYMENT-SIGNATURE header. `changes` overwrites members, to make a bad one. */
export function paymentHeaderV2(
  { payload, accepted, resourceUrl }: { payload: ExactPayload; accepted: Requirements; resourceUrl?: string },
  changes: Readonly<Record<string, unknown>> = {},
): string {
  const resource = resourceUrl === undefined ? {} : { resource: { url: resourceUrl } };
  return encodeHeader({ x402Version: 2, ...resource, accepted, payload, ...changes });
}

/** A v1 payment: the text of an X-PAYMENT header. `changes` overwrites members, to make a bad one. */
export function paymentHeaderV1(
  { payload, network = 'base-sepolia' }: { payload: ExactPayload; network?: string },
  changes: Readonly<Record<string, unknown>> = {},
): string {
  return encodeHeader({ x402Version: 1, scheme: 'exact', network, payload, ...changes });
}

/** Headers of both versions are the base64 (standard alphabet, padded) of JSON in UTF-8. */
export function encodeHeader(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64');
}
