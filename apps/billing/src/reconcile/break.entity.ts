import type { AssetCode } from '@keyfare/core/money';
import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A resolution that a break no longer has, with the difference that it was for. Times as PostgreSQL writes them. */
export interface PastResolution {
  /** When it was over, and why. */
  readonly at: string;
  readonly why: string;
  readonly asset: AssetCode | null;
  readonly amount: string | null;
  readonly side: string;
  readonly detail: string;
  readonly resolution: string;
  readonly resolvedBy: 'system' | 'operator';
  readonly resolvedAt: string;
}

/** A difference that reconciliation found. It has one identity for as long as the books exist. */
@Entity({ name: 'break' })
@Check('break_status', `status in ('open', 'resolved')`)
@Check('break_side', `side in ('receipt', 'usage', 'ledger', 'chain')`)
@Check(
  'break_resolution',
  `case status when 'open' then resolution is null and resolved_by is null and resolved_at is null else resolution is not null and resolved_by in ('system', 'operator') and resolved_at is not null end`,
)
@Index('break_by_status', ['status', 'firstSeen', 'id'])
export class BreakEntity {
  /** SHA-256 of the class and of what it is about. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'break_pk' })
  id: string;

  @Column({ type: 'text' })
  class: string;

  /** What it is about: ids, and the key of a payment. */
  @Column({ type: 'jsonb' })
  keys: Record<string, string>;

  @Column({ type: 'text', nullable: true })
  asset: AssetCode | null;

  /** What is at stake, never negative, where that is an amount. */
  @Column({ ...atomicColumn, nullable: true })
  amount: bigint | null;

  /** The side that has what the other lacks, or that is wrong by itself. */
  @Column({ type: 'text' })
  side: 'receipt' | 'usage' | 'ledger' | 'chain';

  /** A sentence for people. */
  @Column({ type: 'text' })
  detail: string;

  @Column({ type: 'text' })
  status: 'open' | 'resolved';

  @Column({ type: 'text', nullable: true })
  owner: string | null;

  @Column({ type: 'text', nullable: true })
  resolution: string | null;

  @Column({ type: 'text', nullable: true })
  note: string | null;

  @Column({ type: 'text', nullable: true })
  resolvedBy: 'system' | 'operator' | null;

  @Column({ ...timeColumn, nullable: true })
  resolvedAt: Date | null;

  /** The resolutions that it had before, the oldest first. */
  @Column({ type: 'jsonb' })
  history: readonly PastResolution[];

  @Column(timeColumn)
  firstSeen: Date;

  @Column(timeColumn)
  lastSeen: Date;

  /** Whether the last run that looked for it found it. */
  @Column({ type: 'boolean' })
  present: boolean;

  /** The run that found it last. */
  @Column({ type: 'uuid' })
  runId: string;

  /** The day by which somebody wants it settled. */
  @Column({ type: 'date', nullable: true })
  dueOn: string | null;

  /** The check that found it last; null for one of before checks had names. */
  @Column({ type: 'text', nullable: true })
  checkName: string | null;

  /** The place in the log of what it is about, where the check reads the log in stretches. */
  @Column({ ...bigintColumn, nullable: true })
  place: bigint | null;

  /** When what it is about happened, where the check knows. */
  @Column({ ...timeColumn, nullable: true })
  happenedAt: Date | null;
}
