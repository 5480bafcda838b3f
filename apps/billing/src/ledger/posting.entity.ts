import type { AssetCode } from '@keyfare/core/money';
import { atomicColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { JournalEntity } from './journal.entity.js';
import { LedgerAccountEntity } from './ledger-account.entity.js';

/** One line of a journal: a debit when the amount is positive, a credit when it is negative. Append-only. */
@Entity({ name: 'posting' })
@ForeignKey(() => LedgerAccountEntity, ['account', 'asset'], ['code', 'asset'], { name: 'posting_account' })
@Check('posting_amount', 'amount <> 0')
@Index('posting_by_account', ['account'])
export class PostingEntity {
  @ForeignKey(() => JournalEntity, { name: 'posting_journal' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'posting_pk' })
  journalId: string;

  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'posting_pk' })
  line: number;

  @Column({ type: 'text' })
  account: string;

  @Column({ type: 'text' })
  asset: AssetCode;

  /** Smallest units of the asset. */
  @Column(atomicColumn)
  amount: bigint;
}
