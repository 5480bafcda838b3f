import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import type { Fees } from '../chain/index.js';
import type { SigningEngine } from './engine.js';
import { concat, encodeList, encodeNumber, encodeString } from './rlp.js';

/** A transaction to sign: no value, no access list (EIP-1559). */
export interface Transaction extends Fees {
  readonly chainId: number;
  readonly nonce: number;
  readonly gasLimit: bigint;
  readonly to: Address;
  readonly data: Hex;
}

/** A transaction as the node takes it. */
export interface SignedTransaction {
  readonly hash: Hex;
  readonly raw: Hex;
  readonly nonce: number;
  readonly fees: Fees;
}

const type = Uint8Array.of(2);
const nothing = encodeNumber(0n);
const emptyList = encodeList([]);

/**
 * 0x02 ‖ rlp([chain_id, nonce, max_priority_fee_per_gas, max_fee_per_gas, gas_limit, destination, amount, data,
 * access_list, signature_y_parity, signature_r, signature_s]) (EIP-1559); what is signed is the same without the last
 * three. Throws `TypeError` or `RangeError` for fields that no transaction can have.
 */
export function signTransaction(
  transaction: Transaction,
  engine: SigningEngine,
  privateKey: Uint8Array,
): SignedTransaction {
  const { nonce, maxFeePerGas, maxPriorityFeePerGas } = transaction;
  if (!Number.isSafeInteger(nonce) || nonce < 0) throw new RangeError('the nonce is not a count');
  if (maxPriorityFeePerGas > maxFeePerGas) throw new RangeError('the priority fee is above the whole fee');
  const fields = [
    encodeNumber(BigInt(transaction.chainId)),
    encodeNumber(BigInt(nonce)),
    encodeNumber(maxPriorityFeePerGas),
    encodeNumber(maxFeePerGas),
    encodeNumber(transaction.gasLimit),
    encodeString(bytesOf(transaction.to)),
    nothing,
    encodeString(bytesOf(transaction.data)),
    emptyList,
  ];
  const digest = engine.keccak256(concat([type, encodeList(fields)]));
  const signature = engine.sign(digest, privateKey);
  fields.push(
    encodeNumber(BigInt(signature[0] ?? 0)),
    encodeString(withoutLeadingZeros(signature.subarray(1, 33))),
    encodeString(withoutLeadingZeros(signature.subarray(33))),
  );
  const raw = concat([type, encodeList(fields)]);
  return {
    hash: hexOf(engine.keccak256(raw)),
    raw: hexOf(raw),
    nonce,
    fees: { maxFeePerGas, maxPriorityFeePerGas },
  };
}

function withoutLeadingZeros(bytes: Uint8Array): Uint8Array {
  let zeros = 0;
  while (bytes[zeros] === 0) zeros += 1;
  return bytes.subarray(zeros);
}

/** The text was made by an encoder of this package, so its digits need no second check. */
function bytesOf(hex: Hex): Uint8Array {
  return Buffer.from(hex.slice(2), 'hex');
}

function hexOf(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`;
}
