import type { Hex } from '../encoding/index.js';
import { Problem } from '../problem/index.js';
import type { Authorization } from './payment.js';

const address = /^0x[0-9a-fA-F]{40}$/;
const bytes32 = /^0x[0-9a-fA-F]{64}$/;
const byteString = /^0x(?:[0-9a-fA-F]{2})+$/;
const decimal = /^(?:0|[1-9]\d{0,77})$/;
const maxUint256 = (1n << 256n) - 1n;
const authorizationMembers = 6;

interface EvmPayload {
  readonly authorization: Authorization;
  readonly signature: Hex;
}

/**
 * The inner payload of scheme `exact` with EIP-3009 (x402 scheme_exact_evm, section 1). Numbers are decimal strings
 * without sign, leading zeros or overflow of uint256; hex digits of either case come out lower-case. A member of the
 * authorization that is not signed is refused, for somebody might read it. Problem `payment/malformed`; a Permit2
 * payload is `payment/unsupported`.
 */
export function parseEvmPayload(payload: Readonly<Record<string, unknown>>): EvmPayload {
  const { authorization, signature } = payload;
  if (authorization === undefined && payload['permit2Authorization'] !== undefined) {
    throw new Problem('payment/unsupported', 'Payments by Permit2 are not taken here; sign an EIP-3009 authorization.');
  }
  if (typeof authorization !== 'object' || authorization === null) {
    throw malformed('payload.authorization must be an object.');
  }
  if (Object.keys(authorization).length !== authorizationMembers) {
    throw malformed('payload.authorization must have exactly from, to, value, validAfter, validBefore and nonce.');
  }
  const fields = authorization as Readonly<Record<string, unknown>>;
  return {
    authorization: {
      from: parseHex(fields, 'from', address),
      to: parseHex(fields, 'to', address),
      value: parseUint256(fields, 'value'),
      validAfter: parseUint256(fields, 'validAfter'),
      validBefore: parseUint256(fields, 'validBefore'),
      nonce: parseHex(fields, 'nonce', bytes32),
    },
    signature: parseSignature(signature),
  };
}

function parseHex(fields: Readonly<Record<string, unknown>>, name: string, shape: RegExp): Hex {
  const text = fields[name];
  if (typeof text !== 'string' || !shape.test(text)) {
    throw malformed(`payload.authorization.${name} must be 0x-prefixed hex of the right length.`);
  }
  return text.toLowerCase() as Hex;
}

function parseUint256(fields: Readonly<Record<string, unknown>>, name: string): bigint {
  const text = fields[name];
  const value = typeof text === 'string' && decimal.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value > maxUint256) {
    throw malformed(`payload.authorization.${name} must be a decimal string of a uint256.`);
  }
  return value;
}

function parseSignature(signature: unknown): Hex {
  if (typeof signature !== 'string' || !byteString.test(signature)) {
    throw malformed('payload.signature must be 0x-prefixed hex.');
  }
  return signature.toLowerCase() as Hex;
}

function malformed(detail: string): Problem {
  return new Problem('payment/malformed', detail);
}
