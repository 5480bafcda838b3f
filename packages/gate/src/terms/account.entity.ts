import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { PlanEntity } from './plan.entity.js';

/** A customer under contract: the identity that keys prove and that the meter counts for. */
@Entity({ name: 'account' })
@Check('account_counts', 'version > 0 and revision >= 0')
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

  /** Counts every change of the row, for the caches of the processes. */
  @Column({ ...bigintColumn, default: 1 })
  version: bigint;

  /** Counts the changes of terms, as the signed entries do. */
  @Column({ ...bigintColumn, default: 0 })
  revision: bigint;

  /** When the terms in force began: the database's time under the row's lock, never before the revision before it. */
  @Column(timeColumn)
  effectiveAt: Date;
}
