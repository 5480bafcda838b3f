import { findNetwork, findToken } from '@keyfare/core/x402';

interface TokenAmount {
  /** Decimal text. */
  readonly amount: string;
  readonly asset: string;
}

/** An amount of a token that is known, in its unit; null for another, whose decimals nobody has told. */
export function tokenAmount(
  place: { readonly network: string; readonly asset: string },
  atomic: string,
): TokenAmount | null {
  const network = findNetwork(place.network);
  const token = network === null ? null : findToken(network, place.asset);
  return token === null ? null : { amount: toDecimal(atomic, token.decimals), asset: token.symbol };
}

/** Atomic units as decimal text: `1000` of six decimals is `0.001000`. */
export function toDecimal(atomic: string, decimals: number): string {
  if (decimals === 0) return atomic;
  const digits = atomic.padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** The name that people use for a chain; its CAIP-2 identifier where it is not known. */
export const networkName = (caip2: string): string => findNetwork(caip2)?.name ?? caip2;
