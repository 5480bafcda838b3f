import type { LedgerAssetCode } from '@keyfare/core/money';
import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * One amount from one account to another, under a journal. Append-only. A trigger looks for its journal and its
 * accounts, for all movements of a statement together.
 */
@Entity({ name: 'movement' })
@Check('movement_amount', 'amount > 0')
@Check('movement_sides', 'debit <> credit')
@Index('movement_by_debit', ['debit', 'effectiveAt', 'journalId'])
@Index('movement_by_credit', ['credit', 'effectiveAt', 'journalId'])
export class MovementEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'movement_pk' })
  journalId: string;

  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'movement_pk' })
  line: number;

  @Column({ type: 'text' })
  debit: string;

  @Column({ type: 'text' })
  credit: string;

  @Column({ type: 'text' })
  asset: LedgerAssetCode;

  /** Smallest units of the asset. */
  @Column(atomicColumn)
  amount: bigint;

  /** That of its journal. */
  @Column(timeColumn)
  effectiveAt: Date;
}
