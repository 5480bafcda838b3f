import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** The block of an allowance that one process holds, so that a call is admitted without asking the database. */
@Entity({ name: 'lease' })
@Check('lease_outstanding', 'outstanding >= 0')
export class LeaseEntity {
  /** The holder. When it is no longer renewed, its leases return. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'lease_pk' })
  replicaId: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'lease_pk' })
  accountId: string;

  @PrimaryColumn({ ...timeColumn, primaryKeyConstraintName: 'lease_pk' })
  periodStart: Date;

  @Column(bigintColumn)
  outstanding: bigint;
}
