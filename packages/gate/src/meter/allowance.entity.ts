import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** What an account may use in one month, and has used. The database itself refuses to go over it. */
@Entity({ name: 'allowance' })
@Check('allowance_counts', 'used >= 0 and leased >= 0 and over_units >= 0')
@Check('allowance_cap', 'limit_units is null or used + leased <= limit_units + over_units')
export class AllowanceEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'allowance_pk' })
  accountId: string;

  @PrimaryColumn({ ...timeColumn, primaryKeyConstraintName: 'allowance_pk' })
  periodStart: Date;

  /** The hard limit in units; null where the plan bills what goes beyond the included units. */
  @Column({ ...bigintColumn, nullable: true })
  limitUnits: bigint | null;

  /** Units of served calls: always the sum of the usage rows of the period. */
  @Column({ ...bigintColumn, default: 0 })
  used: bigint;

  /** Units that running processes hold and have not posted: always the sum of the leases. */
  @Column({ ...bigintColumn, default: 0 })
  leased: bigint;

  /** What was admitted beyond the limit, under wider terms that held before. No new call is admitted into it. */
  @Column({ ...bigintColumn, default: 0 })
  overUnits: bigint;
}
