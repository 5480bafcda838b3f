import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';

/** One event in the books; its postings sum to zero, which the database checks too. Append-only. */
@Entity({ name: 'journal' })
@Unique('journal_reverses', ['reverses'])
@Index('journal_source', ['source'])
export class JournalEntity {
  /** Follows from what it records. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'journal_pk' })
  id: string;

  @Column({ type: 'text' })
  kind: string;

  /** `transfer:<transfer>`, `opening:<wallet>`, or an entry by its kind, such as `call:<entry>`. */
  @Column({ type: 'text' })
  source: string;

  /** When it happened; `recordedAt` is when the books learned of it. */
  @Column(timeColumn)
  occurredAt: Date;

  @Column({ ...timeColumn, default: () => 'now()' })
  recordedAt: Date;

  /** The journal that this one undoes; each can be undone once. */
  @ForeignKey(() => JournalEntity, { name: 'journal_reversed' })
  @Column({ type: 'uuid', nullable: true })
  reverses: string | null;

  /** How many postings it has. The database refuses it with fewer, and any that would come later. */
  @Column({ type: 'integer' })
  lines: number;

  /** SHA-256 of its content. */
  @Column({ type: 'bytea' })
  digest: Buffer;
}
