import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** Who invoices. */
@Entity({ name: 'seller' })
@Check('seller_country', `country ~ '^[A-Z]{2}$'`)
@Unique('seller_series', ['series'])
export class SellerEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'seller_pk' })
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

  @Column({ type: 'text' })
  payTo: string;

  @Column({ type: 'text' })
  series: string;

  @Column(timeColumn)
  createdAt: Date;
}
