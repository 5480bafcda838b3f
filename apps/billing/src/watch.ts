import type { Network } from '@keyfare/core/x402';

/** The name in the books of a wallet whose transfers are read: `<network>/<asset>/<wallet>`. */
export function watchOf({ caip2, usdc }: Network, payTo: string): string {
  return `${caip2}/${usdc.address}/${payTo}`;
}
