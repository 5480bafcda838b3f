import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * What a stretch of rows that was proven comes to: how many they are, their sums, and a digest of their contents. Rows
 * of a proven stretch never change, so a later look that gets another total has found a change that nobody may make.
 */
@Entity({ name: 'control_total' })
@Check('control_total_range', 'first_at < last_at')
export class ControlTotalEntity {
  /** The day of the proof, in UTC. */
  @Column({ type: 'date' })
  day: string;

  /** Of which rows. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'control_total_pk' })
  checkName: string;

  /** The stretch begins after this: a place in the log, or a moment in microseconds. */
  @Column({ type: 'numeric', precision: 20, scale: 0 })
  firstAt: string;

  /** And ends with this. */
  @PrimaryColumn({ type: 'numeric', precision: 20, scale: 0, primaryKeyConstraintName: 'control_total_pk' })
  lastAt: string;

  @Column(bigintColumn)
  count: bigint;

  /** By asset, or by what else is counted, in smallest units. */
  @Column({ type: 'jsonb' })
  sums: Record<string, string>;

  @Column({ type: 'text' })
  digest: string;

  @Column(timeColumn)
  provenAt: Date;

  /** When the rows were last read one by one. */
  @Column(timeColumn)
  readAt: Date;
}
