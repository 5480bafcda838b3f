import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A transfer to or from the wallet, as one block told of it. Never deleted: when its block is gone it is orphaned. */
@Entity({ name: 'chain_transfer' })
@Index('chain_transfer_place', ['watch', 'blockHash', 'logIndex'], { unique: true, where: 'orphaned_at is null' })
@Index('chain_transfer_sightings', ['watch', 'blockHash', 'logIndex'])
@Index('chain_transfer_key', ['network', 'asset', 'authorizer', 'nonce'], { where: 'authorizer is not null' })
@Index('chain_transfer_block', ['watch', 'blockNumber'])
@Index('chain_transfer_transaction', ['transaction'])
@Index('chain_transfer_unknown', ['watch', 'transaction'], {
  where: 'authorizer is null and orphaned_at is null and to_address = pay_to',
})
@Index('chain_transfer_out', ['network', 'blockTime'], { where: 'orphaned_at is null and from_address = pay_to' })
@Index('chain_transfer_from', ['fromAddress', 'blockTime'], { where: 'orphaned_at is null' })
@Index('chain_transfer_dust', ['blockTime'], { where: 'dust' })
@Index('chain_transfer_time', ['blockTime'], { where: 'authorizer is not null' })
export class ChainTransferEntity {
  /** Follows from its place, and from how often a transfer was seen there. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'chain_transfer_pk' })
  id: string;

  @Column({ type: 'text' })
  watch: string;

  @Column({ type: 'text' })
  network: string;

  @Column({ type: 'text' })
  asset: string;

  @Column({ type: 'text' })
  payTo: string;

  @Column({ type: 'text' })
  fromAddress: string;

  @Column({ type: 'text' })
  toAddress: string;

  /** Atomic units. */
  @Column(atomicColumn)
  value: bigint;

  /** With `nonce` the EIP-3009 authorization that made the transfer; null for any other. */
  @Column({ type: 'text', nullable: true })
  authorizer: string | null;

  @Column({ type: 'text', nullable: true })
  nonce: string | null;

  @Column(bigintColumn)
  blockNumber: bigint;

  @Column({ type: 'text' })
  blockHash: string;

  @Column(timeColumn)
  blockTime: Date;

  @Column({ type: 'text' })
  transaction: string;

  @Column({ type: 'integer' })
  logIndex: number;

  /** Who sent the transaction. */
  @Column({ type: 'text' })
  sender: string;

  /** What the whole transaction cost its sender, in wei; null for a transfer that was read before this was noted. */
  @Column({ ...atomicColumn, nullable: true })
  transactionFee: bigint | null;

  /** Whether it moved less than `DUST_BELOW`, as it was when the transfer was read. */
  @Column({ type: 'boolean', default: false })
  dust: boolean;

  @Column(timeColumn)
  seenAt: Date;

  /** When its block was found to be no part of the chain (any more). */
  @Column({ ...timeColumn, nullable: true })
  orphanedAt: Date | null;
}
