import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Somebody answers for the report of a month, as it was then. Append-only. */
@Entity({ name: 'month_sign_off' })
@Index('month_sign_off_of', ['month', 'id'])
export class MonthSignOffEntity {
  @PrimaryColumn({
    ...bigintColumn,
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'month_sign_off_pk',
  })
  id: bigint;

  @Column({ type: 'date' })
  month: string;

  /** Of the report: SHA-256 in hexadecimal. */
  @Column({ type: 'text' })
  digest: string;

  @Column(timeColumn)
  at: Date;

  @Column({ type: 'text' })
  operatorId: string;

  @Column({ type: 'text' })
  operatorName: string;

  /** What was signed. */
  @Column({ type: 'jsonb' })
  report: unknown;
}
