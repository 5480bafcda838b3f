import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A payer from whom no payment is taken. */
@Entity({ name: 'blocked_payer' })
export class BlockedPayerEntity {
  /** Lower-case address, on every network. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'blocked_payer_pk' })
  payer: string;

  @Column({ type: 'text' })
  reason: string;

  @Column(timeColumn)
  blockedAt: Date;
}
