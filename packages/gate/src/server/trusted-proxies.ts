import { isIP } from 'node:net';
import { z } from 'zod';

const named: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** An address, a network that is not the whole Internet, or a name of one (`proxy-addr`). */
function isProxy(text: string): boolean {
  if (named.has(text)) return true;
  const [, address = '', prefix] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  return prefix === undefined || (Number(prefix) > 0 && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** Whose `X-Forwarded-For` says where a request comes from. */
export const proxyEnvironment = {
  /**
   * Addresses and networks with commas, `loopback`, `linklocal`, `uniquelocal`. @default none: the connection's address
   * counts
   */
  TRUSTED_PROXIES: z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .refine((parts) => parts.every(isProxy), {
      error: 'must be addresses or networks with commas, loopback, linklocal or uniquelocal; never all of the Internet',
    })
    .transform((parts): readonly string[] => parts)
    .default([]),
};
