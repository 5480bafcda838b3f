import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** Who is invoiced. */
@Entity({ name: 'customer' })
@Check('customer_payment_days', 'payment_days between 0 and 365')
export class CustomerEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'customer_pk' })
  id: string;

  @Column({ type: 'text' })
  legalName: string;

  @Column({ type: 'text' })
  address: string;

  @Column({ type: 'text', nullable: true })
  taxId: string | null;

  @Column({ type: 'jsonb' })
  contacts: readonly { readonly name: string; readonly email: string }[];

  @Column({ type: 'text' })
  language: string;

  @Column({ type: 'text' })
  reportingCurrency: string;

  @Column({ type: 'integer' })
  paymentDays: number;

  /** Of `tax_rate`: at which rates its invoices are taxed. Null: not at all. */
  @Column({ type: 'text', nullable: true })
  taxCode: string | null;

  @Column(timeColumn)
  createdAt: Date;
}
