import { hasGoodChecksum } from '@keyfare/core/x402';
import { z } from 'zod';

/**
 * An address that may be paid, in lower case. Mixed case must be its checksum: one wrong character sends money away.
 */
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, { error: 'must be an address: 0x and 40 hex digits', abort: true })
  .refine(hasGoodChecksum, 'has a wrong checksum (EIP-55): copy the address again from where it came from')
  .refine((text) => !/^0x0+$/.test(text), 'must not be the zero address: what is paid to it is lost')
  .transform((text) => text.toLowerCase() as `0x${string}`);

/** An http or https URL. */
export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

/** Whether the driver can read the parts of a connection URL: it throws its own words for one that it cannot. */
function isConnectable(text: string): boolean {
  try {
    const { username, password, pathname } = new URL(text);
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** Where a database is. */
export const postgresUrl = z
  .string()
  .regex(/^postgres(?:ql)?:\/\//, { error: 'must be a postgres:// URL', abort: true })
  .refine(isConnectable, 'must be a postgres:// URL: escape what is special in its parts, such as % as %25');

/** SEC 2 §2.4.1. */
const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** A private key of secp256k1. */
export const secretKey = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}$/, { error: 'must be a private key: 0x and 64 hex digits', abort: true })
  .refine(
    (text) => BigInt(text) > 0n && BigInt(text) < curveOrder,
    'must be a private key: over zero, under the order of secp256k1',
  )
  .transform((text) => text as `0x${string}`);

/** All faults of a configuration at once, by the names that operators set; never a value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n  ${faults.join('\n  ')}`);
  }
}
