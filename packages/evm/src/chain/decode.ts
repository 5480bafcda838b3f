import type { Hex } from '@keyfare/core/encoding';
import type { Address } from '@keyfare/core/x402';
import { ChainUnavailable } from './errors.js';

/** A number as nodes write it, "0x1b4". What is none is no answer: ChainUnavailable. */
export function readQuantity(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(value)) throw malformed(what);
  return BigInt(value);
}

/** A hash: 32 bytes, lower-case. */
export function readHash(value: unknown, what: string): Hex {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(value)) throw malformed(what);
  return value.toLowerCase() as Hex;
}

/** An address: 20 bytes, lower-case. */
export function readAddress(value: unknown, what: string): Address {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{40}$/.test(value)) throw malformed(what);
  return value.toLowerCase() as Address;
}

/** Bytes of any length, lower-case. */
export function readBytes(value: unknown, what: string): Hex {
  if (typeof value !== 'string' || !/^0x([0-9a-fA-F]{2})*$/.test(value)) throw malformed(what);
  return value.toLowerCase() as Hex;
}

/** An object; its members are still to be read. */
export function readObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what);
  return value as Readonly<Record<string, unknown>>;
}

/** An array; its elements are still to be read. */
export function readArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

/** The error for an answer that is none. */
export function malformed(what: string): ChainUnavailable {
  return new ChainUnavailable(`the node sent a malformed ${what}`);
}

/** A number as nodes read it. */
export function toQuantity(value: bigint | number): Hex {
  return `0x${value.toString(16)}`;
}
