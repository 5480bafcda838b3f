import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { EntryEntity } from './entry.entity.js';

/** That a refused entry was found good later, and what was wrong with it before. Append-only. */
@Entity({ name: 'readmission' })
export class ReadmissionEntity {
  @ForeignKey(() => EntryEntity, { name: 'readmission_entry' })
  @PrimaryColumn({ ...bigintColumn, primaryKeyConstraintName: 'readmission_pk' })
  place: bigint;

  /** The order among those that were readmitted after the same place. */
  @Column({ ...bigintColumn, generated: 'identity', generatedIdentity: 'ALWAYS' })
  nth: bigint;

  @Column({ type: 'uuid' })
  entryId: string;

  /** The place that had been read last: the entry was rated after all up to it. */
  @Column(bigintColumn)
  afterPlace: bigint;

  @Column(timeColumn)
  at: Date;

  /** The operator's id, or `system`. */
  @Column({ type: 'text' })
  by: string;

  @Column({ type: 'text' })
  reason: string;

  @Column({ type: 'text' })
  fault: string;

  @Column({ type: 'text', nullable: true })
  faultDetail: string | null;

  /** The invoice of its month, where that was final: then a call is for a later one. */
  @Column({ type: 'uuid', nullable: true })
  afterInvoice: string | null;
}
