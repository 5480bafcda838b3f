import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * The block of an allowance that one process holds, so that a call is admitted without asking the database. Its counts
 * only grow while it is open, so a statement that says them may be repeated.
 */
@Entity({ name: 'lease' })
@Index('lease_account', ['accountId', 'periodStart'])
@Check('lease_counts', 'used >= 0 and granted >= used')
@Check('lease_closed', 'open or granted = used')
export class LeaseEntity {
  /** The holder. When its row in `replica` is gone, its leases are swept. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'lease_pk' })
  replicaId: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'lease_pk' })
  accountId: string;

  @PrimaryColumn({ ...timeColumn, primaryKeyConstraintName: 'lease_pk' })
  periodStart: Date;

  /** Units given to the process, less those it gave back. */
  @Column(bigintColumn)
  granted: bigint;

  /** Of the units its calls posted, those that are counted in the allowance: all through the group `post`. */
  @Column(bigintColumn)
  used: bigint;

  /** The newest group of the process's posts that is folded. */
  @Column(bigintColumn)
  post: bigint;

  /** Counts the process's statements, so that one that was delayed cannot undo a later one. */
  @Column(bigintColumn)
  turn: bigint;

  /** No call may be posted against a closed one. */
  @Column({ type: 'boolean' })
  open: boolean;

  /** No entry that is not folded was recorded before: bounds what a sweep reads. */
  @Column(timeColumn)
  since: Date;
}
