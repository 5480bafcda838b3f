import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { InvoicePaymentEntity } from './invoice-payment.entity.js';

/** Money that was applied to an invoice and was taken from it again. Append-only. */
@Entity({ name: 'invoice_payment_undone' })
@ForeignKey(() => InvoicePaymentEntity, ['source', 'invoiceId'], ['source', 'invoiceId'], {
  name: 'invoice_payment_undone_of',
})
export class UndonePaymentEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'invoice_payment_undone_pk' })
  source: string;

  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_payment_undone_pk' })
  invoiceId: string;

  @Column(timeColumn)
  undoneAt: Date;

  /** The date of its journals: when it was applied, or the start of the month after the last locked one. */
  @Column(timeColumn)
  effectiveAt: Date;

  @Column({ type: 'text' })
  undoneBy: string;

  @Column({ type: 'text' })
  why: string;
}
