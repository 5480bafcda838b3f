import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** An operator of the API, or a session of one, that was let in here. */
@Entity({ name: 'known_operator' })
@Check('known_operator_hash', 'octet_length(token_hash) = 32')
export class KnownOperatorEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'known_operator_pk' })
  id: string;

  /** The same, or whose session it is. */
  @Column({ type: 'text' })
  operatorId: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'text', array: true })
  scopes: string[];

  /** SHA-256 of the token. */
  @Column({ type: 'bytea' })
  tokenHash: Buffer;

  @Column(timeColumn)
  expiresAt: Date;

  /** When the API's database last said that the token was good: its age is bounded by the database's own clock. */
  @Column({ ...timeColumn, default: () => 'now()' })
  seenAt: Date;
}
