import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What a wallet is to us. The first three are ours, and followed. */
export const walletKinds = ['till', 'treasury', 'settler', 'service', 'other'] as const;
export type WalletKind = (typeof walletKinds)[number];

/**
 * A wallet that is known: one of ours, of another service that shares a till with us, or of somebody else who has a
 * name. Those of the configuration are in it from the first look at the chain on.
 */
@Entity({ name: 'wallet' })
@Check('wallet_kind', `kind in ('till', 'treasury', 'settler', 'service', 'other')`)
@Check('wallet_address', `address ~ '^0x[0-9a-f]{40}$'`)
@Index('wallet_unapplied', ['network'], { where: 'not applied' })
export class WalletEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'wallet_pk' })
  network: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'wallet_pk' })
  address: string;

  @Column({ type: 'text' })
  kind: WalletKind;

  @Column({ type: 'text' })
  label: string;

  /** What it moved before is none of ours. */
  @Column(timeColumn)
  since: Date;

  /** The operator; null for one of the configuration. */
  @Column({ type: 'text', nullable: true })
  addedBy: string | null;

  @Column(timeColumn)
  addedAt: Date;

  /** Whether the transfers that were booked before stand where it says that they belong. */
  @Column({ type: 'boolean' })
  applied: boolean;

  /** The last transfer that was looked at for that; null before the first, and when all were. */
  @Column({ type: 'uuid', nullable: true })
  appliedUpTo: string | null;
}
