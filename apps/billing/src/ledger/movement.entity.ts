import type { LedgerAssetCode } from '@keyfare/core/money';
import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { JournalEntity } from './journal.entity.js';
import { LedgerAccountEntity } from './ledger-account.entity.js';

/** One amount from one account to another, under a journal. Append-only. */
@Entity({ name: 'movement' })
@ForeignKey(() => LedgerAccountEntity, ['debit', 'asset'], ['code', 'asset'], { name: 'movement_debit' })
@ForeignKey(() => LedgerAccountEntity, ['credit', 'asset'], ['code', 'asset'], { name: 'movement_credit' })
@Check('movement_amount', 'amount > 0')
@Check('movement_sides', 'debit <> credit')
@ForeignKey(() => JournalEntity, ['journalId', 'effectiveAt'], ['id', 'effectiveAt'], { name: 'movement_journal' })
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
