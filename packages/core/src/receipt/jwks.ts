import { sha256 } from '@noble/hashes/sha2.js';
import { z } from 'zod';
import { canonicalJson, decodeBase64Url, decodeHex, encodeBase64Url, utf8 } from '../encoding/index.js';
import { isProblem, Problem } from '../problem/index.js';

/**
 * The public half of a signing key (RFC 8037, section 2). It has no `alg`: some verifiers compare it with the header's
 * letter by letter, and the name is changing from `EdDSA` to `Ed25519` (RFC 9864).
 */
export interface Ed25519Jwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** The 32 bytes of the key, base64url. */
  readonly x: string;
  /** The DID URL that receipts name as their `kid`. */
  readonly kid: string;
  readonly use: 'sig';
}

/** The keys that receipts verify with, old ones included (RFC 7517, section 5). */
export interface Jwks {
  readonly keys: readonly Ed25519Jwk[];
}

/** The shape of a key id: a DID URL with a fragment, in printable ASCII. */
export const kidShape: RegExp = /^did:[a-z0-9]+:[\x21\x22\x24-\x7e]+#[\x21\x22\x24-\x7e]+$/;

/**
 * The points of small order, by the y of every encoding that some verifier takes (RFC 8032 §5.1.7 leaves them to it).
 * Under such a key one signature fits many documents, and OpenSSL and noble differ on it.
 */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
] as const;
const weakKeys: ReadonlySet<string> = new Set(smallOrder.flatMap((y) => bothSigns(decodeHex(`0x${y}`))));

const longestKid = 512;
const ed25519Key = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string().max(longestKid).regex(kidShape),
  use: z.literal('sig').optional(),
  alg: z.enum(['EdDSA', 'Ed25519']).optional(),
});
const keySet = z.object({ keys: z.array(z.unknown()).max(1000) });

/** The JWK of a raw 32-byte public key. Another length is a bug: RangeError. */
export function formatJwk(publicKey: Uint8Array, kid: string): Ed25519Jwk {
  if (publicKey.length !== 32) throw new RangeError('An Ed25519 public key has 32 bytes.');
  return { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(publicKey), kid, use: 'sig' };
}

/**
 * The keys of a JSON Web Key Set that can verify receipts. Keys of other kinds are passed over, as RFC 7517 (section 5)
 * asks; what is no key set at all is refused: Problem `receipt/malformed`.
 */
export function parseJwks(value: unknown): Jwks {
  const set = keySet.safeParse(value);
  if (!set.success) throw new Problem('receipt/malformed', 'The value is not a JSON Web Key Set.');
  return { keys: set.data.keys.flatMap(parseKey) };
}

/** The thumbprint of a key, base64url of SHA-256 (RFC 7638; RFC 8037, section 2): it names a key by what it is. */
export function thumbprint({ crv, kty, x }: Pick<Ed25519Jwk, 'crv' | 'kty' | 'x'>): string {
  return encodeBase64Url(sha256(utf8(canonicalJson({ crv, kty, x }))));
}

/** The raw 32-byte public key of a JWK, or null if `x` is not one or has a small order. Total. */
export function publicKeyOf({ x }: Pick<Ed25519Jwk, 'x'>): Uint8Array | null {
  try {
    const bytes = decodeBase64Url(x);
    return bytes.length === 32 && !weakKeys.has(x) ? bytes : null;
  } catch (error) {
    if (isProblem(error)) return null;
    throw error;
  }
}

function bothSigns(y: Uint8Array): readonly string[] {
  const negative = Uint8Array.from(y);
  negative[31] = (y[31] ?? 0) | 0x80;
  return [encodeBase64Url(y), encodeBase64Url(negative)];
}

function parseKey(value: unknown): readonly Ed25519Jwk[] {
  const key = ed25519Key.safeParse(value);
  if (!key.success || publicKeyOf(key.data) === null) return [];
  const { kty, crv, x, kid } = key.data;
  return [{ kty, crv, x, kid, use: 'sig' }];
}
