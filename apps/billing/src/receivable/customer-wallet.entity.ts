import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';

/** A wallet that a customer pays its invoices from. */
@Entity({ name: 'customer_wallet' })
export class CustomerWalletEntity {
  /** Lower-case: one wallet is one customer's. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'customer_wallet_pk' })
  address: string;

  @Column({ type: 'uuid' })
  @ForeignKey('CustomerEntity', { name: 'customer_wallet_customer' })
  customerId: string;

  @Column({ type: 'text' })
  addedBy: string;

  @Column(timeColumn)
  addedAt: Date;
}
