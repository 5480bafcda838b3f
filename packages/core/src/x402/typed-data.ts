import { keccak_256 } from '@noble/hashes/sha3.js';
import { writeHex } from '../encoding/hex.js';
import { decodeHex, utf8 } from '../encoding/index.js';
import type { Address, Token } from './network.js';
import type { Authorization } from './payment.js';

/** Keccak-256 of bytes. The result is the caller's; the input is not kept. */
export type Keccak256 = (bytes: Uint8Array) => Uint8Array;

/** The EIP-712 domain of a token contract. */
export interface TokenDomain {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: Address;
}

// keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
const domainType = decodeHex('0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f');
// keccak256("TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,
// bytes32 nonce)"), as EIP-3009 states it.
const transferType = decodeHex('0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267');

const word = 32;
const addressLength = 42;
const nonceLength = 66;

// One message is hashed at a time, so one pair of buffers serves all: the words of the struct behind its type hash, and
// the 66 bytes that are signed. The padding of addresses is zero from the start and is never written.
const struct = new Uint8Array(7 * word);
const structView = new DataView(struct.buffer);
struct.set(transferType);
const signed = new Uint8Array(2 + 2 * word);
signed.set([0x19, 0x01]);

/** The domain separator of a token contract (EIP-712, `hashStruct(eip712Domain)`). A malformed address: TypeError. */
export function domainSeparator({ name, version, chainId, verifyingContract }: TokenDomain): Uint8Array {
  const bytes = new Uint8Array(5 * word);
  bytes.set(domainType);
  bytes.set(keccak_256(utf8(name)), word);
  bytes.set(keccak_256(utf8(version)), 2 * word);
  writeUint256(new DataView(bytes.buffer), 3 * word, BigInt(chainId));
  writeFixed(bytes, 4 * word + 12, verifyingContract, addressLength);
  return keccak_256(bytes);
}

/**
 * The 32 bytes that a payer signs for `authorization` (EIP-712 over the EIP-3009 struct): equal to what viem computes,
 * and some sixty times as fast. A field out of range is a bug of the caller, who did not parse it: TypeError or
 * RangeError.
 */
export function transferDigest(
  separator: Uint8Array,
  authorization: Authorization,
  keccak256: Keccak256 = keccak_256,
): Uint8Array {
  if (separator.length !== word) throw new RangeError('A domain separator has 32 bytes.');
  writeFixed(struct, word + 12, authorization.from, addressLength);
  writeFixed(struct, 2 * word + 12, authorization.to, addressLength);
  writeUint256(structView, 3 * word, authorization.value);
  writeUint256(structView, 4 * word, authorization.validAfter);
  writeUint256(structView, 5 * word, authorization.validBefore);
  writeFixed(struct, 6 * word, authorization.nonce, nonceLength);
  signed.set(separator, 2);
  signed.set(keccak256(struct), 2 + word);
  return keccak256(signed);
}

const separators = new WeakMap<Token, { readonly chainId: number; readonly separator: Uint8Array }>();

/** The domain separator of `token` on a chain, computed once for each token object. Not to be written to. */
export function separatorOf(token: Token, chainId: number): Uint8Array {
  const known = separators.get(token);
  if (known?.chainId === chainId) return known.separator;
  const { name, version, address: verifyingContract } = token;
  const separator = domainSeparator({ name, version, chainId, verifyingContract });
  separators.set(token, { chainId, separator });
  return separator;
}

function writeUint256(view: DataView, offset: number, value: bigint): void {
  if (value < 0n || value >> 256n !== 0n) throw new RangeError('The value does not fit a uint256.');
  view.setBigUint64(offset + 24, value);
  // setBigUint64 takes the low 64 bits, so each limb is what is left after a shift; most values have one limb.
  const high = value >> 64n;
  view.setBigUint64(offset + 16, high);
  view.setBigUint64(offset + 8, high === 0n ? 0n : high >> 64n);
  view.setBigUint64(offset, high === 0n ? 0n : high >> 128n);
}

function writeFixed(target: Uint8Array, offset: number, text: string, length: number): void {
  if (text.length !== length || !text.startsWith('0x') || !writeHex(text, target, offset)) {
    throw new TypeError(`The text is not 0x-prefixed hex of ${(length - 2) / 2} bytes.`);
  }
}
