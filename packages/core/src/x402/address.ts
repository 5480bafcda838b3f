import { keccak_256 } from '@noble/hashes/sha3.js';
import { encodeHex, utf8 } from '../encoding/index.js';
import type { Address } from './network.js';

/**
 * Whether an address's letters spell its checksum (EIP-55). One in a single case has none and passes: it is mixed case
 * that says that somebody counted. A text that is no address is a bug of the caller: TypeError.
 */
export function hasGoodChecksum(address: string): boolean {
  if (!/^0x[0-9a-fA-F]{40}$/.test(address)) throw new TypeError('The text is no address.');
  const digits = address.slice(2);
  if (digits === digits.toLowerCase() || digits === digits.toUpperCase()) return true;
  return address === checksumAddress(address.toLowerCase() as Address);
}

/** The address as EIP-55 spells it: a letter is a capital where the digit of the hash above it is 8 or more. */
function checksumAddress(address: Address): string {
  const digits = address.slice(2);
  const hash = encodeHex(keccak_256(utf8(digits))).slice(2);
  const spelled = digits.replaceAll(/[a-f]/g, (letter, at: number) =>
    Number.parseInt(hash.charAt(at), 16) >= 8 ? letter.toUpperCase() : letter,
  );
  return `0x${spelled}`;
}

/** The account behind a public key of secp256k1, uncompressed, 65 bytes (Yellow Paper, appendix F). Lower-case. */
export function addressOfPublicKey(publicKey: Uint8Array): Address {
  if (publicKey.length !== 65 || publicKey[0] !== 4) throw new TypeError('The key is no uncompressed public key.');
  return encodeHex(keccak_256(publicKey.subarray(1)).subarray(12));
}
