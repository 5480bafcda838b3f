import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** Who invoices. */
@Entity({ name: 'seller' })
@Unique('seller_series', ['series'])
export class SellerEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'seller_pk' })
  id: string;

  @Column({ type: 'text' })
  legalName: string;

  @Column({ type: 'text' })
  address: string;

  @Column({ type: 'text', nullable: true })
  taxId: string | null;

  @Column({ type: 'text' })
  payTo: string;

  @Column({ type: 'text' })
  series: string;

  @Column(timeColumn)
  createdAt: Date;
}
