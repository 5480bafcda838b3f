import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';

/** An API key: a lasting id, on which one or two secrets hang. Rotation changes the secrets and nothing else. */
@Entity({ name: 'api_key' })
@Index('api_key_order', ['accountId', 'createdAt', 'id'])
@Check('api_key_environment', `environment in ('live', 'test')`)
export class KeyEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'api_key_pk' })
  id: string;

  /** References account (id), which another room writes. */
  @ForeignKey('AccountEntity', { name: 'api_key_account', onDelete: 'RESTRICT' })
  @Column({ type: 'text' })
  accountId: string;

  @Column({ type: 'text' })
  environment: 'live' | 'test';

  @Column({ type: 'text' })
  name: string;

  /** What the key may buy, as tariffs name it; empty means everything. */
  @Column({ type: 'text', array: true, default: '{}' })
  scopes: string[];

  /** Counts changes of the key and of its secrets; the database does the counting. */
  @Column({ ...bigintColumn, default: 1 })
  version: bigint;

  @Column(timeColumn)
  createdAt: Date;

  @Column({ ...timeColumn, nullable: true })
  expiresAt: Date | null;

  @Column({ ...timeColumn, nullable: true })
  revokedAt: Date | null;
}
