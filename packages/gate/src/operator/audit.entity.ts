import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One change that an operator made, written in the transaction that made it. Nothing changes or removes a row. */
@Entity({ name: 'audit' })
@Index('audit_subject', ['subject', 'id'])
@Index('audit_operator', ['operatorId', 'id'])
export class AuditEntity {
  @PrimaryColumn({
    ...bigintColumn,
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'audit_pk',
  })
  id: bigint;

  /** The database's time. */
  @Column({ ...timeColumn, default: () => 'now()' })
  at: Date;

  @Column({ type: 'text' })
  operatorId: string;

  @Column({ type: 'text' })
  operatorName: string;

  /** What was done: `account.change`. */
  @Column({ type: 'text' })
  action: string;

  /** The id of what was changed. */
  @Column({ type: 'text' })
  subject: string;

  /** As operators saw it; null for what is new. */
  @Column({ type: 'jsonb', nullable: true })
  before: unknown;

  @Column({ type: 'jsonb', nullable: true })
  after: unknown;

  /** As the answer's `Request-Id` has it, and in the API the access line. */
  @Column({ type: 'text' })
  requestId: string;
}

/** What a request with an `Idempotency-Key` was answered, for the same request again. Deleted when it is old. */
@Entity({ name: 'idempotent_request' })
@Check('idempotent_request_key', 'octet_length(key_hash) = 32')
@Check('idempotent_request_fingerprint', 'octet_length(fingerprint) = 32')
@Index('idempotent_request_age', ['createdAt'])
export class IdempotentRequestEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'idempotent_request_pk' })
  operatorId: string;

  /** SHA-256 of the key. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'idempotent_request_pk' })
  keyHash: Buffer;

  /** SHA-256 of method, path and body. */
  @Column({ type: 'bytea' })
  fingerprint: Buffer;

  /** The answer's JSON under a key that only the operator's token gives: it may hold a new secret. */
  @Column({ type: 'bytea' })
  answer: Buffer;

  @Column({ ...timeColumn, default: () => 'now()' })
  createdAt: Date;
}
