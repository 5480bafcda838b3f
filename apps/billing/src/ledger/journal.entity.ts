import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';

/** One event in the books; its movements balance by their shape. Append-only. */
@Entity({ name: 'journal' })
@Unique('journal_reverses', ['reverses'])
@Index('journal_source', ['source'])
@Unique('journal_effective', ['effectiveAt', 'id'])
@Index('journal_reversals', ['effectiveAt'], { where: 'reverses is not null' })
@Index('journal_identifications', ['effectiveAt'], { where: `kind = 'identification'` })
export class JournalEntity {
  /** Follows from what it records. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'journal_pk' })
  id: string;

  @Column({ type: 'text' })
  kind: string;

  /** `transfer:<transfer>`, `opening:<wallet>`, or an entry by its kind, such as `call:<entry>`. */
  @Column({ type: 'text' })
  source: string;

  /** When it happened; `bookedAt` is when the books learned of it. */
  @Column(timeColumn)
  occurredAt: Date;

  /** The date that it has in the books: never in a month that was locked before it was booked. */
  @Column(timeColumn)
  effectiveAt: Date;

  @Column({ ...timeColumn, default: () => 'now()' })
  bookedAt: Date;

  /** The journal that this one undoes; each can be undone once. */
  @ForeignKey(() => JournalEntity, { name: 'journal_reversed' })
  @Column({ type: 'uuid', nullable: true })
  reverses: string | null;

  /** How many it has. The database refuses the journal with fewer, and any movement that would come later. */
  @Column({ type: 'integer' })
  movements: number;

  /** SHA-256 of its content. */
  @Column({ type: 'bytea' })
  digest: Buffer;
}
