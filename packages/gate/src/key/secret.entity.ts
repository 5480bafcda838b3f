import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { KeyEntity } from './key.entity.js';

/** One secret of a key. The secret itself is shown once and stored nowhere. */
@Entity({ name: 'api_key_secret' })
@Check('api_key_secret_hash', 'octet_length(hash) = 32')
@Index('api_key_secret_pending', ['keyId'], { unique: true, where: 'activated_at is null' })
export class SecretEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'api_key_secret_pk' })
  id: string;

  @ForeignKey(() => KeyEntity, { name: 'api_key_secret_key', onDelete: 'CASCADE' })
  @Index('api_key_secret_key_index')
  @Column({ type: 'text' })
  keyId: string;

  /** HMAC-SHA-256 of the secret under the pepper. */
  @Column({ type: 'bytea' })
  hash: Buffer;

  /** Which pepper: it is kept outside the database. */
  @Column({ type: 'text' })
  pepperId: string;

  @Column({ type: 'text' })
  lastFour: string;

  @Column(timeColumn)
  createdAt: Date;

  /** When it was first used; a rotated-in secret is pending until then. */
  @Column({ ...timeColumn, nullable: true })
  activatedAt: Date | null;

  /** How long the other secrets live on after this one is first used. */
  @Column({ type: 'integer', default: 0 })
  graceSeconds: number;

  @Column({ ...timeColumn, nullable: true })
  expiresAt: Date | null;
}
