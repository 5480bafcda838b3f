import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** What was answered to a paid call, for its owner to fetch again. Deleted when it is delivered to no owner, or old. */
@Entity({ name: 'answer' })
@Check('answer_status', 'status between 200 and 399')
@Check('answer_owners', 'octet_length(owners) % 32 = 0')
@Index('answer_age', ['expiresAt'])
export class AnswerEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'answer_pk' })
  exchangeId: string;

  /**
   * One SHA-256 after the other, of each name that came with the first presentation; none: only a call that never got
   * its answer may retry.
   */
  @Column({ type: 'bytea' })
  owners: Buffer;

  @Column({ type: 'smallint' })
  status: number;

  /** The handler's headers by lower-case name; a list where a header came more than once. */
  @Column({ type: 'jsonb' })
  headers: Record<string, string | string[]>;

  @Column({ type: 'bytea' })
  body: Buffer;

  @Column(timeColumn)
  expiresAt: Date;
}
