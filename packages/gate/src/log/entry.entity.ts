import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One line of the log. Append-only, by grants and by a trigger. */
@Entity({ name: 'entry' })
@Check('entry_kind', `kind in ('call', 'terms', 'unpaid')`)
@Check('entry_digest', 'octet_length(digest) = 32')
@Index('entry_order', ['tx', 'position'])
export class EntryEntity {
  @Column({ ...bigintColumn, generated: 'identity', generatedIdentity: 'ALWAYS' })
  position: bigint;

  /** The transaction that wrote it, for readers: see the view `entry_feed`. */
  @Column({ ...bigintColumn, default: () => 'keyfare.current_tx()' })
  tx: bigint;

  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'entry_pk' })
  id: string;

  @Column({ type: 'text' })
  kind: 'call' | 'terms' | 'unpaid';

  @Column({ type: 'text' })
  principal: string;

  /** SHA-256 of the signed document. */
  @Column({ type: 'bytea' })
  digest: Buffer;

  @Column({ type: 'text', nullable: true })
  rail: 'key' | 'x402' | null;

  @Column({ ...bigintColumn, nullable: true })
  units: bigint | null;

  /** The period whose allowance the units come from. */
  @Column({ ...timeColumn, nullable: true })
  periodStart: Date | null;

  /** The process that posted it, and the number of its group among that process's. */
  @Column({ type: 'uuid', nullable: true })
  writer: string | null;

  @Column({ ...bigintColumn, nullable: true })
  post: bigint | null;

  @Column({ ...timeColumn, default: () => 'now()' })
  recordedAt: Date;
}
