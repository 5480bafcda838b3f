import { afterAll, beforeAll } from '@keyfare/jest-preset/globals';
import {
  type Address,
  bytesToHex,
  decodeErrorResult,
  encodeFunctionData,
  type Hex,
  hexToBytes,
  numberToHex,
  parseAbi,
} from 'viem';
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';
import { readArtifact } from '../src/artifact.js';
import { callRpc, type LocalChain, startChain } from '../src/chain/index.js';
import { choosePort } from '../src/ports.js';
import { mintUsdc, usdcAddress } from '../src/usdc.js';

/** The compiled interface of the token. */
export const { abi } = readArtifact('TestUSDC');

/** Its EIP-712 domain on the local chain. */
export const domain = { name: 'USDC', version: '2', chainId: 84_532, verifyingContract: usdcAddress } as const;

const window = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const;

/** What its holders sign (EIP-3009, EIP-2612). */
export const types = {
  TransferWithAuthorization: window,
  ReceiveWithAuthorization: window,
  CancelAuthorization: [
    { name: 'authorizer', type: 'address' },
    { name: 'nonce', type: 'bytes32' },
  ],
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const;

/** Both ways in which the token takes a signature. */
export const forms = ['vrs', 'bytes'] as const;

/** Who is paid, and who sends other people's authorizations: an account that the node signs for. */
export const payee: Address = '0x00000000000000000000000000000000000000bb';
export const relayer: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';

/** A second far away, for windows that do not matter. */
export const distant = 4_000_000_000n;

/** An authorization before it is signed. */
export interface Message {
  from: Address;
  to: Address;
  value: bigint;
  validAfter: bigint;
  validBefore: bigint;
  nonce: Hex;
}

interface Receipt {
  status: Hex;
  logs: { topics: Hex[]; logIndex: Hex; data: Hex }[];
}

/** The token on a chain of its own, for one test file. */
export class Token {
  chain: LocalChain;
  /** A key with 1000 USDC. */
  payer: PrivateKeyAccount;
  private count = 0;

  async open(): Promise<void> {
    this.chain = await startChain({ port: await choosePort() });
    this.payer = privateKeyToAccount(generatePrivateKey());
    await mintUsdc(this.chain.rpcUrl, this.payer.address, 1_000_000_000n);
  }

  message(changes: Partial<Message> = {}): Message {
    this.count += 1;
    const nonce = numberToHex(this.count, { size: 32 });
    const { address: from } = this.payer;
    return { from, to: payee, value: 10n, validAfter: 0n, validBefore: distant, nonce, ...changes };
  }

  async sign(
    message: Message,
    primaryType: 'TransferWithAuthorization' | 'ReceiveWithAuthorization' = 'TransferWithAuthorization',
    by = this.payer,
  ): Promise<Hex> {
    return await by.signTypedData({ domain, types, primaryType, message });
  }

  async read(functionName: string, args: readonly unknown[] = []): Promise<Hex> {
    const data = encodeFunctionData({ abi, functionName, args });
    return (await callRpc(this.chain.rpcUrl, 'eth_call', [{ to: usdcAddress, data }, 'latest'])) as Hex;
  }

  /** Sends a call, to the token unless told otherwise, and waits for its block. */
  async send(data: Hex, { from = relayer, to = usdcAddress }: { from?: Address; to?: Address } = {}): Promise<Receipt> {
    const hash = await callRpc(this.chain.rpcUrl, 'eth_sendTransaction', [{ from, to, data, gas: '0x100000' }]);
    for (;;) {
      const receipt = (await callRpc(this.chain.rpcUrl, 'eth_getTransactionReceipt', [hash])) as Receipt | null;
      if (receipt !== null) return receipt;
    }
  }

  /** Why the token refuses the call, in its own words; fails when it does not. */
  async refusal(data: Hex, from: Address = relayer): Promise<unknown> {
    const body = { jsonrpc: '2.0', id: 1, method: 'eth_call', params: [{ from, to: usdcAddress, data }, 'latest'] };
    const response = await fetch(this.chain.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { error } = (await response.json()) as { error?: { data: Hex } };
    if (!error) throw new Error('the call was not refused');
    return decodeErrorResult({ abi: parseAbi(['error Error(string)']), data: error.data }).args[0];
  }
}

/** Opens the token before the tests of a file, and ends its chain after them. */
export function useToken(): Token {
  const token = new Token();
  beforeAll(async () => await token.open());
  afterAll(async () => await token.chain.kill());
  return token;
}

/** The call of one of the token's functions that take an authorization. */
export function callData(functionName: string, message: Message, signature: Hex, form: 'vrs' | 'bytes'): Hex {
  const { from, to, value, validAfter, validBefore, nonce } = message;
  const fields = [from, to, value, validAfter, validBefore, nonce];
  if (form === 'bytes') return encodeFunctionData({ abi, functionName, args: [...fields, signature] });
  const bytes = hexToBytes(signature);
  const args = [...fields, bytes[64], bytesToHex(bytes.slice(0, 32)), bytesToHex(bytes.slice(32, 64))];
  return encodeFunctionData({ abi, functionName, args });
}
