import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';

/** A letter to a customer about invoices that are overdue, as it was written. Append-only. */
@Entity({ name: 'reminder' })
@Check('reminder_level', 'level > 0')
@Check('reminder_total', 'total > 0')
@Index('reminder_by_time', ['madeAt', 'id'])
export class ReminderEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'reminder_pk' })
  id: string;

  @Column({ type: 'uuid' })
  @ForeignKey('CustomerEntity', { name: 'reminder_customer' })
  customerId: string;

  @Column({ type: 'uuid' })
  @ForeignKey('SellerEntity', { name: 'reminder_seller' })
  sellerId: string;

  /** The highest of its invoices'. */
  @Column({ type: 'integer' })
  level: number;

  /** Of the text. */
  @Column({ type: 'text' })
  language: string;

  /** Micro-dollars: what was to be paid of its invoices. */
  @Column(atomicColumn)
  total: bigint;

  @Column({ type: 'text' })
  subject: string;

  @Column({ type: 'text' })
  body: string;

  @Column({ type: 'text' })
  madeBy: string;

  @Column(timeColumn)
  madeAt: Date;
}

/** An invoice that a reminder is about. Append-only: each level of an invoice is reminded of once. */
@Entity({ name: 'reminder_invoice' })
@Unique('reminder_invoice_level', ['invoiceId', 'level'])
export class ReminderInvoiceEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'reminder_invoice_pk' })
  @ForeignKey(() => ReminderEntity, { name: 'reminder_invoice_reminder' })
  reminderId: string;

  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'reminder_invoice_pk' })
  @ForeignKey('InvoiceEntity', { name: 'reminder_invoice_invoice' })
  invoiceId: string;

  @Column({ type: 'integer' })
  level: number;

  @Column({ type: 'date' })
  dueOn: string;

  /** Micro-dollars. */
  @Column(atomicColumn)
  outstanding: bigint;
}
