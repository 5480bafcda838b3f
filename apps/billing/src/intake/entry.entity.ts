import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Billing's own copy of an entry, good or bad, with its document and the usage that came with it. Append-only. */
@Entity({ name: 'entry' })
@Check(
  'entry_fault',
  `fault in ('receipt-invalid', 'digest-mismatch', 'receipt-missing', 'usage-mismatch', 'terms-missing', 'call-mismatch', 'account-ended')`,
)
@Index('entry_id', ['id'], { unique: true, where: 'fault is null' })
@Index('entry_faulty', ['place'], { where: 'fault is not null' })
export class EntryEntity {
  /** Its place in the order of the log. */
  @PrimaryColumn({ ...bigintColumn, primaryKeyConstraintName: 'entry_pk' })
  place: bigint;

  @Column({ type: 'uuid' })
  id: string;

  @Column({ type: 'text' })
  kind: string;

  @Column({ type: 'text' })
  principal: string;

  /** SHA-256 of the document, as the log holds it. */
  @Column({ type: 'bytea' })
  digest: Buffer;

  @Column(timeColumn)
  recordedAt: Date;

  @Column({ type: 'text', nullable: true })
  jws: string | null;

  @Column({ type: 'text', nullable: true })
  usageRail: string | null;

  @Column({ type: 'text', nullable: true })
  usageAccount: string | null;

  @Column({ type: 'text', nullable: true })
  usagePayer: string | null;

  @Column({ type: 'text', nullable: true })
  usageSku: string | null;

  @Column({ ...bigintColumn, nullable: true })
  usageUnits: bigint | null;

  @Column({ ...timeColumn, nullable: true })
  usagePeriodStart: Date | null;

  @Column({ ...timeColumn, nullable: true })
  usageOccurredAt: Date | null;

  /** What is wrong with it; null for an entry whose content is in the books. */
  @Column({ type: 'text', nullable: true })
  fault: string | null;

  @Column({ type: 'text', nullable: true })
  faultDetail: string | null;

  @Column(timeColumn)
  ingestedAt: Date;
}
