import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** Who is invoiced. */
@Entity({ name: 'customer' })
@Check('customer_country', `country ~ '^[A-Z]{2}$'`)
@Check('customer_payment_days', 'payment_days between 0 and 365')
export class CustomerEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'customer_pk' })
  id: string;

  @Column({ type: 'text' })
  legalName: string;

  @Column({ type: 'text' })
  address: string;

  /** ISO 3166-1, two letters; null where nobody has entered it. */
  @Column({ type: 'text', nullable: true })
  country: string | null;

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
