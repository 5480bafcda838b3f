import { nameText } from '@keyfare/core/text';
import { z } from 'zod';
import type { KnownWallet, WalletGiven } from './registry.js';
import { walletKinds } from './wallet.entity.js';

/** An instant that PostgreSQL holds. */
const instant = z.iso.datetime().regex(/^(?!0000)/);

/** What an operator says of a wallet beside its address. Without `since`: what it has ever moved counts. */
export const walletNaming = z
  .strictObject({ kind: z.enum(walletKinds), label: nameText, since: instant.optional() })
  .meta({ id: 'WalletNaming' });

export const walletView = z
  .object({
    network: z.string(),
    address: z.string(),
    /** `till`, `treasury` and `settler` are ours, and followed. */
    kind: z.enum(walletKinds),
    label: z.string(),
    since: z.iso.datetime(),
    addedBy: z.string().nullable(),
    addedAt: z.iso.datetime(),
    /** Whether what was booked before stands where it belongs by now. */
    applied: z.boolean(),
  })
  .meta({ id: 'Wallet' });

/** The part by whose version a wallet is changed: `applied` changes by itself. */
export function settledPart({ kind, label, since }: z.infer<typeof walletView>): object {
  return { kind, label, since };
}

/** With `since` as a time: the beginning of time where none is said. */
export function givenOf({ kind, label, since }: z.infer<typeof walletNaming>): Omit<WalletGiven, 'address'> {
  return { kind, label, since: new Date(since ?? 0) };
}

export function viewWallet({ since, addedAt, ...wallet }: KnownWallet): z.infer<typeof walletView> {
  return { ...wallet, since: since.toISOString(), addedAt: addedAt.toISOString() };
}
