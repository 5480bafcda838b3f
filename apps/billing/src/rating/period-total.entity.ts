import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * The units that an account's calls by key have used in a month, as far as they are rated: where the next one starts.
 */
@Entity({ name: 'period_total' })
export class PeriodTotalEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'period_total_pk' })
  account: string;

  @PrimaryColumn({ ...timeColumn, primaryKeyConstraintName: 'period_total_pk' })
  periodStart: Date;

  @Column(atomicColumn)
  units: bigint;
}
