import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { PlanEntity } from './plan.entity.js';

/** A customer under contract: the identity that keys prove and that the meter counts for. */
@Entity({ name: 'account' })
@Check('account_counts', 'version > 0 and revision >= 0')
@Check('account_status', `status in ('active', 'suspended', 'closed')`)
@Check('account_closed', `status <> 'closed' or ends_at is not null`)
@Index('account_order', ['createdAt', 'id'])
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
  status: 'active' | 'suspended' | 'closed';

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

  /** From when on nothing is sold to it: when it was closed, or the agreed end of its contract. */
  @Column({ ...timeColumn, nullable: true })
  endsAt: Date | null;
}
