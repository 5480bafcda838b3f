import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { OperatorEntity } from './operator.entity.js';

/** An operator who has signed in. Times are the database's. */
@Entity({ name: 'session' })
@Check('session_hash', 'octet_length(token_hash) = 32')
@Check('session_begun_by', `begun_by in ('password', 'link')`)
@Index('session_newest', { synchronize: false })
@Index('session_operator', ['operatorId', 'createdAt'])
export class SessionEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'session_pk' })
  id: string;

  @ForeignKey(() => OperatorEntity, { name: 'session_operator_fk' })
  @Column({ type: 'text' })
  operatorId: string;

  /** SHA-256 of the token. */
  @Column({ type: 'bytea' })
  tokenHash: Buffer;

  @Column({ type: 'text' })
  begunBy: 'password' | 'link';

  @Column({ type: 'text' })
  address: string;

  /** The `User-Agent`, cut. */
  @Column({ type: 'text' })
  agent: string;

  @Column({ ...timeColumn, default: () => 'now()' })
  createdAt: Date;

  @Column({ ...timeColumn, default: () => 'now()' })
  seenAt: Date;

  /** When it ends if nothing more is done in it. */
  @Column(timeColumn)
  idleAt: Date;

  /** When it ends in any case. */
  @Column(timeColumn)
  expiresAt: Date;

  /** Until then the password need not be asked for again. */
  @Column({ ...timeColumn, nullable: true })
  confirmedUntil: Date | null;
}

/** Links that let an operator in once. */
@Entity({ name: 'sign_in_link' })
@Check('sign_in_link_hash', 'octet_length(token_hash) = 32')
export class SignInLinkEntity {
  /** SHA-256 of the token. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'sign_in_link_pk' })
  tokenHash: Buffer;

  @ForeignKey(() => OperatorEntity, { name: 'sign_in_link_operator_fk' })
  @Column({ type: 'text' })
  operatorId: string;

  @Column({ ...timeColumn, default: () => 'now()' })
  createdAt: Date;

  @Column(timeColumn)
  expiresAt: Date;

  @Column({ ...timeColumn, nullable: true })
  usedAt: Date | null;
}
