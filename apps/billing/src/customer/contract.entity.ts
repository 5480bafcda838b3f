import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { PeriodAnchor } from './billing-cycle.entity.js';
import { CustomerEntity } from './customer.entity.js';
import { SellerEntity } from './seller.entity.js';

/** Which customer an account's calls are invoiced to, by whom, and from when to when. */
@Entity({ name: 'contract' })
@Check('contract_time', 'starts_at < ends_at')
@Check('contract_anchor', `period_anchor in ('calendar', 'anniversary')`)
@Index('contract_by_account', ['account', 'startsAt'])
export class ContractEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'contract_pk' })
  id: string;

  @Column({ type: 'uuid' })
  customerId: string;

  @ManyToOne(() => CustomerEntity)
  @JoinColumn({ name: 'customer_id', foreignKeyConstraintName: 'contract_customer' })
  customer: CustomerEntity;

  @Column({ type: 'uuid' })
  sellerId: string;

  @ManyToOne(() => SellerEntity)
  @JoinColumn({ name: 'seller_id', foreignKeyConstraintName: 'contract_seller' })
  seller: SellerEntity;

  @Column({ type: 'text' })
  account: string;

  @Column(timeColumn)
  startsAt: Date;

  @Column({ ...timeColumn, nullable: true })
  endsAt: Date | null;

  /** What the first day of its periods follows from. */
  @Column({ type: 'text', default: 'calendar' })
  periodAnchor: PeriodAnchor;

  /** Whose midnight a period begins at; a name of the time zone database. */
  @Column({ type: 'text', default: 'UTC' })
  timeZone: string;

  @Column(timeColumn)
  createdAt: Date;
}
