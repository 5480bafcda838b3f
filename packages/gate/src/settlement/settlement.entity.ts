import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A signed settlement transaction, stored before it is first broadcast. It moves the payments that have the wallet and
 * the nonce; a replacement shares both.
 */
@Entity({ name: 'settlement' })
@Index('settlement_nonce', ['network', 'wallet', 'walletNonce'])
export class SettlementEntity {
  /** Transaction hash. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'settlement_pk' })
  transaction: string;

  @Column({ type: 'text' })
  network: string;

  @Column({ type: 'text' })
  wallet: string;

  @Column(bigintColumn)
  walletNonce: bigint;

  @Column({ type: 'bytea' })
  raw: Buffer;

  /** Wei. */
  @Column(atomicColumn)
  maxFeePerGas: bigint;

  /** Wei. */
  @Column(atomicColumn)
  maxPriorityFeePerGas: bigint;

  @Column(timeColumn)
  createdAt: Date;
}
