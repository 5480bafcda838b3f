import type { Hex } from '@keyfare/core/encoding';
import type { Address, Authorization } from '@keyfare/core/x402';

// The first four bytes of the hash of each signature (Solidity ABI, "Function Selector"); tests compute them again.
const selectors = {
  balanceOf: '0x70a08231',
  authorizationState: '0xe94a0102',
  transferByParts: '0xe3ee160e',
  transferByBytes: '0xcf092995',
  aggregate3: '0x82ad56cb',
} as const;

const zeros = '0'.repeat(64);
/** `allowFailure` true, and where the bytes of `callData` begin in their tuple: after three words. */
const batchedRowHead = `${numberWord(1)}${numberWord(3 * 32)}`;

/** Calldata of `balanceOf(address)` (ERC-20). */
export function encodeBalanceOf(holder: Address): Hex {
  return `${selectors.balanceOf}${addressWord(holder)}`;
}

/** Calldata of `authorizationState(address,bytes32)` (EIP-3009). */
export function encodeAuthorizationState(authorizer: Address, nonce: Hex): Hex {
  return `${selectors.authorizationState}${addressWord(authorizer)}${bytes32Word(nonce)}`;
}

/**
 * Calldata of `transferWithAuthorization` (EIP-3009): with v, r and s for a signature of 65 bytes that ends in 27 or
 * 28, as a bytes argument (FiatTokenV2_2) for any other, or as `form` says. A wallet contract may end its 65 bytes in
 * anything (Safe adds 4 to v for messages), so the length alone does not tell a key's signature. Throws `TypeError` or
 * `RangeError` for a field that does not fit: those are bugs of the caller, who did not parse it.
 */
export function encodeTransferWithAuthorization(
  authorization: Authorization,
  signature: Hex,
  form: 'parts' | 'bytes' = /^0x.{128}1[bc]$/i.test(signature) ? 'parts' : 'bytes',
): Hex {
  const digits = bytesDigits(signature);
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  const head =
    addressWord(from) +
    addressWord(to) +
    uint256Word(value) +
    uint256Word(validAfter) +
    uint256Word(validBefore) +
    bytes32Word(nonce);
  if (form === 'parts') {
    const v = digits.slice(128);
    if (digits.length !== 130 || (v !== '1b' && v !== '1c')) throw new TypeError('v of the signature is not 27 or 28');
    return `${selectors.transferByParts}${head}${zeros.slice(2)}${v}${digits.slice(0, 128)}`;
  }
  const offset = uint256Word(7n * 32n);
  const length = uint256Word(BigInt(digits.length / 2));
  const padding = zeros.slice(0, (64 - (digits.length % 64)) % 64);
  return `${selectors.transferByBytes}${head}${offset}${length}${digits}${padding}`;
}

/** A call of a batch contract. */
export interface BatchedCall {
  readonly target: Address;
  readonly callData: Hex;
}

/**
 * Calldata of Multicall3's `aggregate3((address target,bool allowFailure,bytes callData)[])` with `allowFailure` true
 * for each call: one that fails leaves the others as they are. Throws `TypeError` for texts that are no address or no
 * bytes.
 */
export function encodeAggregate3(calls: readonly BatchedCall[]): Hex {
  let offset = calls.length * 32;
  const offsets: string[] = [];
  const rows: string[] = [];
  for (const { target, callData } of calls) {
    const digits = bytesDigits(callData);
    const padding = zeros.slice(0, (64 - (digits.length % 64)) % 64);
    offsets.push(numberWord(offset));
    rows.push(`${addressWord(target)}${batchedRowHead}${numberWord(digits.length / 2)}${digits}${padding}`);
    offset += 4 * 32 + (digits.length + padding.length) / 2;
  }
  return `${selectors.aggregate3}${numberWord(32)}${numberWord(calls.length)}${offsets.join('')}${rows.join('')}`;
}

/** A topic of a log: an address as a 32-byte word. */
export function addressTopic(address: Address): Hex {
  return `0x${addressWord(address)}`;
}

/** Throws `TypeError` for a text that is not an address. */
export function checkAddress(text: string): void {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new TypeError('the text is not an address');
}

function addressWord(address: Address): string {
  checkAddress(address);
  return zeros.slice(40) + address.slice(2).toLowerCase();
}

function bytes32Word(value: Hex): string {
  if (!/^0x[0-9a-fA-F]{64}$/.test(value)) throw new TypeError('the text is not 32 bytes');
  return value.slice(2).toLowerCase();
}

function bytesDigits(value: Hex): string {
  if (!/^0x([0-9a-fA-F]{2})*$/.test(value)) throw new TypeError('the text is not hexadecimal');
  return value.slice(2).toLowerCase();
}

function numberWord(value: number): string {
  return value.toString(16).padStart(64, '0');
}

function uint256Word(value: bigint): string {
  const digits = value.toString(16);
  if (value < 0n || digits.length > 64) throw new RangeError('the value does not fit a uint256');
  return zeros.slice(digits.length) + digits;
}
