import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { InvoiceEntity } from './invoice.entity.js';

/** What an operator adds to the next invoice of an account, or takes from it. Only its life changes. */
@Entity({ name: 'adjustment' })
@Check('adjustment_amount', 'amount <> 0')
@Check('adjustment_prepaid', 'not prepaid or amount > 0')
@Check('adjustment_approved', '(approved_by is null) = (approved_at is null)')
@Check('adjustment_withdrawn', '(withdrawn_by is null) = (withdrawn_at is null)')
@Index('adjustment_by_account', ['account'])
@Index('adjustment_by_time', ['madeAt', 'id'])
export class AdjustmentEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'adjustment_pk' })
  id: string;

  @Column({ type: 'text' })
  account: string;

  /** The month from which on it is for the first invoice that is not final. */
  @Column(timeColumn)
  periodStart: Date;

  /** Micro-dollars: above 0 the customer pays more. */
  @Column(atomicColumn)
  amount: bigint;

  /** Whether it is paid ahead: later invoices draw on it. */
  @Column({ type: 'boolean', default: false })
  prepaid: boolean;

  /** What the customer reads. */
  @Column({ type: 'text' })
  description: string;

  @Column({ type: 'text' })
  why: string;

  /** By the limit of when it was made. */
  @Column({ type: 'boolean' })
  needsApproval: boolean;

  @Column({ type: 'text' })
  madeById: string;

  @Column({ type: 'text' })
  madeBy: string;

  @Column(timeColumn)
  madeAt: Date;

  @Column({ type: 'text', nullable: true })
  approvedBy: string | null;

  @Column({ ...timeColumn, nullable: true })
  approvedAt: Date | null;

  @Column({ type: 'text', nullable: true })
  withdrawnBy: string | null;

  @Column({ ...timeColumn, nullable: true })
  withdrawnAt: Date | null;
}

/** What of an adjustment a final invoice took in. Append-only. */
@Entity({ name: 'invoice_adjustment' })
@Check('invoice_adjustment_amount', 'amount <> 0')
@Index('invoice_adjustment_by_adjustment', ['adjustmentId'])
export class InvoiceAdjustmentEntity {
  @ForeignKey(() => InvoiceEntity, { name: 'invoice_adjustment_invoice' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_adjustment_pk' })
  invoiceId: string;

  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'invoice_adjustment_pk' })
  line: number;

  @ForeignKey(() => AdjustmentEntity, { name: 'invoice_adjustment_of' })
  @Column({ type: 'uuid' })
  adjustmentId: string;

  /** Micro-dollars, with the sign of the adjustment. */
  @Column(atomicColumn)
  amount: bigint;
}
