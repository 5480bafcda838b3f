import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The free calls of one product in one period, of all callers together. */
@Entity({ name: 'free_tier' })
@Check('free_tier_taken', 'taken >= 0')
export class FreeTierEntity {
  /** Product, kind of caller and period: `forecast address day 2026-11-27`. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'free_tier_pk' })
  name: string;

  /** The end of the period. The row is deleted an hour after it. */
  @Column(timeColumn)
  endsAt: Date;

  /** Calls that were given away, and those that are held. */
  @Column(bigintColumn)
  taken: bigint;
}

/** What one caller has had of a tier. Who it is cannot be read from it: the subject is a keyed hash. */
@Entity({ name: 'free_caller' })
@Index('free_caller_end', ['endsAt'])
@Check('free_caller_counts', 'used >= 0 and held >= 0')
@Check('free_caller_subject', 'octet_length(subject) = 32')
export class FreeCallerEntity {
  /** HMAC-SHA-256 of the tier's name and the wallet or network address. */
  @PrimaryColumn({ type: 'bytea', primaryKeyConstraintName: 'free_caller_pk' })
  subject: Buffer;

  @Column(timeColumn)
  endsAt: Date;

  /** How many calls a caller has, as the route said when one was last held. */
  @Column({ type: 'integer' })
  calls: number;

  /** Calls that were served. */
  @Column({ type: 'integer' })
  used: number;

  /** Calls under way. */
  @Column({ type: 'integer' })
  held: number;

  /** Calls that the last statement held: which of several in one statement got one is told by it. */
  @Column({ type: 'integer' })
  granted: number;
}

/** A free call under way. It is posted or given back by its process, or given back by a sweep when that has died. */
@Entity({ name: 'free_hold' })
export class FreeHoldEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'free_hold_pk' })
  exchangeId: string;

  @Column({ type: 'bytea' })
  subject: Buffer;

  @Column({ type: 'text' })
  tier: string;

  @Column({ type: 'uuid' })
  replicaId: string;

  @Column({ ...timeColumn, default: () => 'now()' })
  heldAt: Date;
}
