import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { BankPaymentEntity } from './bank-payment.entity.js';

/** Money that became a customer's credit, or credit that was applied to an invoice. Append-only. */
@Entity({ name: 'customer_credit' })
@Check('customer_credit_amount', 'amount > 0')
@Check('customer_credit_side', 'num_nonnulls(bank_payment_id, invoice_id, entry_id) = 1')
@Index('customer_credit_of', ['customerId'])
@Index('customer_credit_entry', ['entryId'], { unique: true, where: 'entry_id is not null' })
@Index('customer_credit_payment', ['bankPaymentId'], { where: 'bank_payment_id is not null' })
export class CustomerCreditEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'customer_credit_pk' })
  id: string;

  @Column({ type: 'uuid' })
  @ForeignKey('CustomerEntity', { name: 'customer_credit_customer' })
  customerId: string;

  /** Where it came from. */
  @Column({ type: 'uuid', nullable: true })
  @ForeignKey(() => BankPaymentEntity, { name: 'customer_credit_bank_payment' })
  bankPaymentId: string | null;

  /** The entry `refund-due` that it came from. */
  @Column({ type: 'uuid', nullable: true })
  entryId: string | null;

  /** Where it went. */
  @Column({ type: 'uuid', nullable: true })
  @ForeignKey('InvoiceEntity', { name: 'customer_credit_invoice' })
  invoiceId: string | null;

  /** In micro-dollars. */
  @Column(atomicColumn)
  amount: bigint;

  @Column({ type: 'text' })
  madeBy: string;

  @Column(timeColumn)
  madeAt: Date;
}
