import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { PlanEntity } from './plan.entity.js';

/** A customer under contract: the identity that keys prove and that the meter counts for. */
@Entity({ name: 'account' })
@Check('account_status', `status in ('active', 'suspended')`)
export class AccountEntity {
  /** `acct_…`, random, so that it says nothing about the customer. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'account_pk' })
  id: string;

  @Column({ type: 'text' })
  name: string;

  @ForeignKey(() => PlanEntity, { name: 'account_plan', onDelete: 'RESTRICT' })
  @Column({ type: 'text' })
  planId: string;

  @Column({ type: 'text', default: 'active' })
  status: 'active' | 'suspended';

  @Column(timeColumn)
  createdAt: Date;
}
