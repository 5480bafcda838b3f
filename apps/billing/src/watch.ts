import type { Network, Token } from '@keyfare/core/x402';

/** The name in the books of a wallet whose transfers of a token are read: `<network>/<asset>/<wallet>`. */
export function watchOf({ caip2 }: Network, { address }: Token, payTo: string): string {
  return `${caip2}/${address}/${payTo}`;
}

/** The names of a wallet in every token of its network, USDC first. */
export function watchesOf(network: Network, payTo: string): readonly string[] {
  return network.tokens.map((token) => watchOf(network, token, payTo));
}
