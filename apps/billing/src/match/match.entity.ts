import type { AssetCode } from '@keyfare/core/money';
import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * That an entry or an invoice, and a transfer or a bank payment, are the same event. Many to many: each says how much
 * of the two it is about. Never deleted: one that is no longer true is `undone`.
 */
@Entity({ name: 'match' })
@Check('match_state', `state in ('provisional', 'final', 'undone')`)
@Check('match_amount', 'amount > 0')
@Check('match_owed', 'num_nonnulls(entry_id, invoice_id) = 1')
@Check('match_paid', 'num_nonnulls(transfer_id, bank_payment_id) = 1')
@Check(
  'match_times',
  `(final_at is not null or state <> 'final') and (undone_at is not null) = (state = 'undone') and (why is not null) = (state = 'undone')`,
)
@Check('match_undone_by', `undone_by is null or state = 'undone'`)
@Index('match_pair', ['entryId', 'transferId'], { unique: true, where: `state <> 'undone' and entry_id is not null` })
@Index('match_transfer', ['transferId'], { where: 'transfer_id is not null' })
@Index('match_invoice', ['invoiceId'], { where: 'invoice_id is not null' })
@Index('match_bank_payment', ['bankPaymentId'], { where: 'bank_payment_id is not null' })
@Index('match_entry', ['entryId'], { where: 'entry_id is not null' })
@Index('match_provisional', ['transferId'], { where: `state = 'provisional'` })
export class MatchEntity {
  /** Follows from the two sides, and from how often they were matched before. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'match_pk' })
  id: string;

  /** The entry that brought the payment in. */
  @Column({ type: 'uuid', nullable: true })
  entryId: string | null;

  @Column({ type: 'uuid', nullable: true })
  invoiceId: string | null;

  @Column({ type: 'uuid', nullable: true })
  transferId: string | null;

  @Column({ type: 'uuid', nullable: true })
  bankPaymentId: string | null;

  @Column({ type: 'text' })
  asset: AssetCode;

  /** In the smallest unit of the asset: never more than either side. */
  @Column(atomicColumn)
  amount: bigint;

  /** `final` when the block of the transfer is. */
  @Column({ type: 'text' })
  state: 'provisional' | 'final' | 'undone';

  /** What found it: `authorization` for the key of an EIP-3009 payment. */
  @Column({ type: 'text' })
  rule: string;

  /** The operator who made it; null for one that a rule made. */
  @Column({ type: 'text', nullable: true })
  matchedBy: string | null;

  @Column(timeColumn)
  matchedAt: Date;

  @Column({ ...timeColumn, nullable: true })
  finalAt: Date | null;

  @Column({ ...timeColumn, nullable: true })
  undoneAt: Date | null;

  /** The operator who undid it; null for one that a rule undid. */
  @Column({ type: 'text', nullable: true })
  undoneBy: string | null;

  /** Why it was undone. */
  @Column({ type: 'text', nullable: true })
  why: string | null;
}
