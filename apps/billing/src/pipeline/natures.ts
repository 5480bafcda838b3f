import type { Sql } from '@keyfare/db/sql';
import type { Nature } from '../ledger/flows.js';
import { isOurs, type KnownWallet, knownAmong } from '../treasury/registry.js';

/** The sides of a transfer of a wallet that is followed. */
export interface Sides {
  readonly payTo: string;
  readonly from: string;
  readonly to: string;
  /** Who sent the transaction. */
  readonly sender: string;
  readonly dust: boolean;
  readonly blockTime: Date;
}

export type Known = ReadonlyMap<string, Pick<KnownWallet, 'kind' | 'since'>>;

/** The wallets that are known on the sides of these transfers. */
export async function readKnown(sql: Sql, network: string, transfers: readonly Sides[]): Promise<Known> {
  return knownAmong(
    sql,
    network,
    transfers.flatMap(({ payTo, from, to, sender }) => [payTo, from, to, sender]),
  );
}

/**
 * What the transfer is by its sides, as they are known, and by what it pays back. The wallet of another service may
 * pay, be paid, or send.
 */
export function natureOf(
  { payTo, from, to, sender, dust, blockTime }: Sides,
  { known, isRefund }: { readonly known: Known; readonly isRefund: boolean },
): Nature | null {
  const kindOf = (address: string): KnownWallet['kind'] | null => {
    const wallet = known.get(address);
    return wallet !== undefined && wallet.since <= blockTime ? wallet.kind : null;
  };
  const own = known.get(payTo);
  if (own !== undefined && (own.since > blockTime || !isOurs(own.kind))) return 'before';
  if (from === to) return null;
  const isInward = to === payTo;
  if (isRefund && !isInward) return 'refund';
  const other = isInward ? from : to;
  const otherKind = kindOf(other);
  if (otherKind !== null && isOurs(otherKind)) return 'sweep';
  if (otherKind === 'service') return { service: other };
  if (!isInward) return null;
  if (kindOf(sender) === 'service') return { service: sender };
  return dust ? 'dust' : null;
}
