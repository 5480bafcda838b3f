import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ReconciliationReport } from './report.js';

/** One run of the reconciliation and what it found. Append-only. */
@Entity({ name: 'reconciliation' })
@Index('reconciliation_finished', ['finishedAt'])
export class ReconciliationEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'reconciliation_pk' })
  id: string;

  @Column({ type: 'text' })
  trigger: 'manual' | 'schedule';

  @Column(timeColumn)
  startedAt: Date;

  @Column(timeColumn)
  finishedAt: Date;

  /** Every entry that was committed by then was in; null while there was no such moment. */
  @Column({ ...timeColumn, nullable: true })
  entriesAsOf: Date | null;

  /** Everything that the chain showed by then was in. */
  @Column({ ...timeColumn, nullable: true })
  chainAsOf: Date | null;

  /** See `ReconciliationReport`. */
  @Column({ type: 'jsonb' })
  report: ReconciliationReport;

  /** SHA-256 of the report: two runs over the same books have the same. */
  @Column({ type: 'bytea' })
  digest: Buffer;
}
