import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { InvoiceEntity } from './invoice.entity.js';

/** Money that was applied to an invoice. Append-only. */
@Entity({ name: 'invoice_payment' })
@Check('invoice_payment_amount', 'amount > 0')
@Index('invoice_payment_by_invoice', ['invoiceId'])
export class InvoicePaymentEntity {
  /** Of its journal: what brought the money. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'invoice_payment_pk' })
  source: string;

  @ForeignKey(() => InvoiceEntity, { name: 'invoice_payment_invoice' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_payment_pk' })
  invoiceId: string;

  /** The ledger account that it comes from. */
  @Column({ type: 'text' })
  debit: string;

  /** Micro-dollars. */
  @Column(atomicColumn)
  amount: bigint;

  @Column(timeColumn)
  appliedAt: Date;
}
