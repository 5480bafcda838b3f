import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';

/**
 * When a key was last shown and taken. Apart from the key, whose every change all processes are told; written by each
 * process in batches, so it is a minute old at most.
 */
@Entity({ name: 'key_use' })
export class KeyUseEntity {
  @ForeignKey('KeyEntity', { name: 'key_use_key', onDelete: 'RESTRICT' })
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'key_use_pk' })
  keyId: string;

  @Column(timeColumn)
  lastUsedAt: Date;
}
