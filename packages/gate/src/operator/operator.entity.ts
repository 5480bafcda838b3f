import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';
import type { OperatorScope } from './operator.js';

/** Who runs the service. A name is taken once and for all: the audit log names operators by it. */
@Entity({ name: 'operator' })
@Check('operator_hash', 'octet_length(token_hash) = 32')
@Check('operator_scopes', `scopes <@ array['read', 'write', 'money'] and cardinality(scopes) > 0`)
@Unique('operator_name', ['name'])
export class OperatorEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'operator_pk' })
  id: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'text', array: true })
  scopes: OperatorScope[];

  /** SHA-256 of the token. */
  @Column({ type: 'bytea' })
  tokenHash: Buffer;

  @Column({ type: 'text' })
  lastFour: string;

  @Column(timeColumn)
  createdAt: Date;

  @Column(timeColumn)
  expiresAt: Date;

  @Column({ ...timeColumn, nullable: true })
  revokedAt: Date | null;

  /** Argon2id, as a PHC string. Null: there is no password, and nobody signs in with one. */
  @Column({ type: 'text', nullable: true })
  passwordHash: string | null;

  @Column({ ...timeColumn, nullable: true })
  passwordChangedAt: Date | null;
}

/** Bootstrap tokens that were used: each lets somebody in once. */
@Entity({ name: 'bootstrap' })
@Check('bootstrap_hash', 'octet_length(token_hash) = 32')
export class BootstrapEntity {
  /** SHA-256 of the token. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'bootstrap_pk' })
  tokenHash: Buffer;

  @Column({ type: 'text' })
  operatorId: string;

  @Column(timeColumn)
  usedAt: Date;
}
