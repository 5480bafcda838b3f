import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A transaction of a settler of ours in a final block: what it cost and what it brought in. Kept in the transactions
 * that change what it follows from: transfers, their finality, and the names of wallets.
 */
@Entity({ name: 'gas_spent' })
@Index('gas_spent_by_day', ['day', 'network', 'settler', 'transaction'])
export class GasSpentEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'gas_spent_pk' })
  network: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'gas_spent_pk' })
  transaction: string;

  @Column({ type: 'text' })
  settler: string;

  /** Of its block, in UTC. */
  @Column({ type: 'date' })
  day: string;

  @Column(timeColumn)
  blockTime: Date;

  /** In wei. */
  @Column(atomicColumn)
  fee: bigint;

  /** How many payments to us it moved, and what they come to. */
  @Column(bigintColumn)
  payments: bigint;

  @Column(atomicColumn)
  usdc: bigint;

  @Column(atomicColumn)
  eurc: bigint;
}
