import type { BillingConfig } from '../config.js';

/** With the prefix a browser takes the cookie from no other host, and over TLS alone (RFC 6265bis §4.1.3.2). */
export function sessionCookieName({ isConsoleSecure }: Pick<BillingConfig, 'isConsoleSecure'>): string {
  return isConsoleSecure ? '__Host-keyfare_session' : 'keyfare_session';
}

/** By which a browser is known that has signed in before. */
export const deviceCookieName = 'keyfare_device';
/** A customer's, who shows a key. */
export function customerCookieName({ isConsoleSecure }: Pick<BillingConfig, 'isConsoleSecure'>): string {
  return isConsoleSecure ? '__Host-keyfare_me' : 'keyfare_me';
}

export interface Cookie {
  readonly name: string;
  /** Empty: it is taken away. */
  readonly value: string;
  readonly path: string;
  readonly maxAgeSeconds: number;
  readonly isSecure: boolean;
}

/** A `Set-Cookie` (RFC 6265 §4.1) that no script reads and that no other site's page makes the browser send. */
export function setCookie({ name, value, path, maxAgeSeconds, isSecure }: Cookie): string {
  const age = value === '' ? 0 : Math.max(0, Math.floor(maxAgeSeconds));
  return `${name}=${value}; Path=${path}; Max-Age=${age}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
}
