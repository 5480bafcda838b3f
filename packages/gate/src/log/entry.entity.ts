import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * One line of the log: what was signed, and for a call what it used. Append-only, by grants and by triggers. The table
 * is partitioned by month of the id, which TypeORM cannot say.
 */
@Entity({ name: 'entry' })
@Check('entry_digest', 'octet_length(digest) = 32')
@Check('entry_signature', 'octet_length(signature) = 64')
@Check('entry_units', 'units > 0')
@Index('entry_recorded', { synchronize: false })
export class EntryEntity {
  /** A UUIDv7; of a call the id of its exchange. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'entry_pk' })
  id: string;

  /** `call`, `terms` and so on: the kinds of `@keyfare/core/log`, and later ones. */
  @Column({ type: 'text' })
  kind: string;

  /** The account, or the payer on the x402 rail. */
  @Column({ type: 'text' })
  principal: string;

  /** The rail of a call; null for other entries, as what follows. */
  @Column({ type: 'text', nullable: true })
  rail: string | null;

  /** The account that an x402 call is linked to. */
  @Column({ type: 'text', nullable: true })
  accountId: string | null;

  @Column({ type: 'text', nullable: true })
  keyId: string | null;

  @Column({ type: 'text', nullable: true })
  sku: string | null;

  @Column({ ...bigintColumn, nullable: true })
  units: bigint | null;

  /** The period whose allowance the units were taken from. */
  @Column({ ...timeColumn, nullable: true })
  periodStart: Date | null;

  /** When the request arrived. */
  @Column({ ...timeColumn, nullable: true })
  occurredAt: Date | null;

  /** The process that posted a call by key. */
  @Column({ type: 'uuid', nullable: true })
  writer: string | null;

  /** The number of the group among that process's in which the call was posted. */
  @Column({ ...bigintColumn, nullable: true })
  post: bigint | null;

  @Column({ type: 'text' })
  kid: string;

  /** The canonical JSON that was signed; null once it was erased. The digest stays. */
  @Column({ type: 'bytea', nullable: true })
  payload: Buffer | null;

  @Column({ type: 'bytea', nullable: true })
  signature: Buffer | null;

  /** SHA-256 of the compact JWS. */
  @Column({ type: 'bytea' })
  digest: Buffer;

  @Column({ ...timeColumn, default: () => 'now()' })
  recordedAt: Date;
}
