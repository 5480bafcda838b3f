import { decodeHex, encodeHex } from '@keyfare/core/encoding';
import { domainSeparator, type Network, type SignatureVerifier, transferDigest } from '@keyfare/core/x402';
import { usdcAbi } from '@keyfare/devstack/usdc';
import {
  type Address,
  decodeFunctionData,
  encodeErrorResult,
  type Hex,
  numberToHex,
  pad,
  parseAbi,
  serializeSignature,
} from 'viem';
import { NotPlayed, Reverted } from './fault.js';
import type { ChainState } from './state.js';

/** A call of a contract. Addresses are lower-case. */
export interface Call {
  readonly from: Address;
  readonly to: Address;
  readonly data: Hex;
  /** Of the block that the call is in. */
  readonly block: number;
  /** Unix seconds. */
  readonly timestamp: bigint;
}

/** An event, as a receipt has it. */
export interface Event {
  readonly address: Address;
  readonly topics: readonly Hex[];
  readonly data: Hex;
}

/** What a call returned and told. */
export interface Outcome {
  readonly output: Hex;
  readonly events: readonly Event[];
}

const errors = parseAbi(['error Error(string)']);
const extra = parseAbi(['function DOMAIN_SEPARATOR() view returns (bytes32)']);
const abi = [...usdcAbi, ...extra];

// keccak256 of "Transfer(address,address,uint256)" and "AuthorizationUsed(address,bytes32)".
const transferTopic: Hex = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef';
const usedTopic: Hex = '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5';
const nobody: Address = '0x0000000000000000000000000000000000000000';

/** A revert with words, as `require(…, reason)` makes it. */
export function reverted(reason: string): Reverted {
  return new Reverted(reason, encodeErrorResult({ abi: errors, errorName: 'Error', args: [reason] }));
}

interface Transfer {
  readonly from: Address;
  readonly to: Address;
  readonly value: bigint;
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly nonce: Hex;
  readonly signature: Hex;
}

/**
 * USDC's part of the chain: balances, and transfers by authorization (EIP-3009) with the checks of FiatTokenV2_2, in
 * its order and its words. Payers are keys: no account of this chain has code that could sign (ERC-1271).
 */
export class Token {
  readonly address: Address;
  readonly #separator: Uint8Array;

  constructor(
    { usdc, chainId }: Network,
    private readonly state: ChainState,
    private readonly verifier: SignatureVerifier,
  ) {
    this.address = usdc.address;
    const { name, version } = usdc;
    this.#separator = domainSeparator({ name, version, chainId, verifyingContract: usdc.address });
  }

  balanceOf(holder: Address, block?: number): bigint {
    return this.state.read(`balance ${holder.toLowerCase()}`, block);
  }

  setBalance(holder: Address, amount: bigint, block: number): void {
    this.state.write(`balance ${holder.toLowerCase()}`, amount, block);
  }

  isUsed(authorizer: Address, nonce: Hex, block?: number): boolean {
    return this.state.read(`used ${authorizer.toLowerCase()} ${nonce.toLowerCase()}`, block) === 1n;
  }

  /**
   * Runs a call, or answers it as of `at`. Throws `Reverted`, and `NotPlayed` for a function that is not played here.
   */
  run(call: Call, at?: number): Outcome {
    const { functionName, args } = decode(call.data);
    if (functionName === 'balanceOf') return answer(this.balanceOf(args[0], at));
    if (functionName === 'authorizationState') return answer(this.isUsed(args[0], args[1], at) ? 1n : 0n);
    if (functionName === 'transferWithAuthorization') return this.#transfer(call, readTransfer(args));
    if (functionName === 'transfer') {
      return { ...answer(1n), events: [this.#move({ from: call.from, to: args[0], value: args[1] }, call.block)] };
    }
    if (functionName === 'DOMAIN_SEPARATOR') return { output: encodeHex(this.#separator), events: [] };
    throw new NotPlayed(`${functionName} of the token`);
  }

  #transfer(call: Call, transfer: Transfer): Outcome {
    const { from, nonce } = transfer;
    const { timestamp, block } = call;
    if (timestamp <= transfer.validAfter) throw reverted('FiatTokenV2: authorization is not yet valid');
    if (timestamp >= transfer.validBefore) throw reverted('FiatTokenV2: authorization is expired');
    if (this.isUsed(from, nonce)) throw reverted('FiatTokenV2: authorization is used or canceled');
    this.#checkSignature(transfer);
    this.state.write(`used ${from.toLowerCase()} ${nonce.toLowerCase()}`, 1n, block);
    const used = { address: this.address, topics: [usedTopic, word(from), nonce], data: '0x' as const };
    return { output: '0x', events: [used, this.#move(transfer, block)] };
  }

  /** As ECRecover.sol of the token does it. */
  #checkSignature(transfer: Transfer): void {
    const signature = decodeHex(transfer.signature);
    if (signature.length !== 65) throw reverted('ECRecover: invalid signature length');
    if (BigInt(transfer.signature.slice(0, 2) + transfer.signature.slice(66, 130)) > halfOrder) {
      throw reverted("ECRecover: invalid signature 's' value");
    }
    if (signature[64] !== 27 && signature[64] !== 28) throw reverted("ECRecover: invalid signature 'v' value");
    const signer = this.verifier.recoverAddress(transferDigest(this.#separator, transfer), signature);
    if (signer === null) throw reverted('ECRecover: invalid signature');
    if (signer !== transfer.from.toLowerCase()) throw reverted('FiatTokenV2: invalid signature');
  }

  #move({ from, to, value }: Pick<Transfer, 'from' | 'to' | 'value'>, block: number): Event {
    if (from === nobody) throw reverted('ERC20: transfer from the zero address');
    if (to === nobody) throw reverted('ERC20: transfer to the zero address');
    const balance = this.balanceOf(from);
    if (value > balance) throw reverted('ERC20: transfer amount exceeds balance');
    this.setBalance(from, balance - value, block);
    this.setBalance(to, this.balanceOf(to) + value, block);
    return {
      address: this.address,
      topics: [transferTopic, word(from), word(to)],
      data: numberToHex(value, { size: 32 }),
    };
  }
}

const halfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

function decode(data: Hex) {
  try {
    return decodeFunctionData({ abi, data });
  } catch {
    throw new NotPlayed(`the function ${data.slice(0, 10)} of the token`);
  }
}

type Parts = readonly [
  Address,
  Address,
  bigint,
  bigint,
  bigint,
  Hex,
  ...(readonly [number, Hex, Hex] | readonly [Hex]),
];

function readTransfer([from, to, value, validAfter, validBefore, nonce, ...signed]: Parts): Transfer {
  const [first, r = '0x', s = '0x'] = signed;
  const signature = typeof first === 'number' ? joined(first, r, s) : first;
  return { from, to, value, validAfter, validBefore, nonce, signature };
}

/** `abi.encodePacked(r, s, v)`: any `v` of a byte, which `serializeSignature` would not write. */
function joined(v: number, r: Hex, s: Hex): Hex {
  return v === 27 || v === 28
    ? serializeSignature({ r, s, v: BigInt(v) })
    : `${r}${s.slice(2)}${v.toString(16).padStart(2, '0')}`;
}

function answer(value: bigint): Outcome {
  return { output: numberToHex(value, { size: 32 }), events: [] };
}

function word(address: Address): Hex {
  return pad(address.toLowerCase() as Hex);
}
