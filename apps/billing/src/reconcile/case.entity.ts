import type { AssetCode } from '@keyfare/core/money';
import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { BreakEntity } from './break.entity.js';
import type { ResolutionKind } from './kinds.js';

const identity = { ...bigintColumn, generated: 'identity', generatedIdentity: 'ALWAYS' } as const;

/** What somebody said of a break. */
@Entity({ name: 'break_comment' })
@Index('break_comment_of', ['breakId', 'id'])
export class BreakCommentEntity {
  @PrimaryColumn({ ...identity, primaryKeyConstraintName: 'break_comment_pk' })
  id: bigint;

  @ForeignKey(() => BreakEntity, { name: 'break_comment_break' })
  @Column({ type: 'text' })
  breakId: string;

  @Column(timeColumn)
  at: Date;

  @Column({ type: 'text' })
  operatorId: string;

  @Column({ type: 'text' })
  operatorName: string;

  @Column({ type: 'text' })
  text: string;
}

/** One turn in the life of a break, with the difference as it was then. Nobody's name: a reconciliation did it. */
@Entity({ name: 'break_event' })
@Index('break_event_of', ['breakId', 'id'])
@Check('break_event_what', `what in ('resolved', 'reopened', 'proposed', 'rejected', 'undone')`)
@Check('break_event_operator', 'num_nonnulls(operator_id, operator_name) <> 1')
export class BreakEventEntity {
  @PrimaryColumn({ ...identity, primaryKeyConstraintName: 'break_event_pk' })
  id: bigint;

  @ForeignKey(() => BreakEntity, { name: 'break_event_break' })
  @Column({ type: 'text' })
  breakId: string;

  @Column(timeColumn)
  at: Date;

  @Column({ type: 'text' })
  what: 'resolved' | 'reopened' | 'proposed' | 'rejected' | 'undone';

  @Column({ type: 'text', nullable: true })
  operatorId: string | null;

  @Column({ type: 'text', nullable: true })
  operatorName: string | null;

  @Column({ type: 'text', nullable: true })
  asset: AssetCode | null;

  @Column({ ...atomicColumn, nullable: true })
  amount: bigint | null;

  @Column({ type: 'text' })
  side: string;

  @Column({ type: 'text' })
  detail: string;

  /** The resolution, or why it is over. */
  @Column({ type: 'text', nullable: true })
  text: string | null;
}

/** What an operator's resolution of a break posts: its journal has the source `break:<break>#<nth>`. */
@Entity({ name: 'break_resolution' })
@Unique('break_resolution_nth', ['breakId', 'nth'])
@Index('break_resolution_live', ['breakId'], { unique: true, where: `state in ('proposed', 'posted')` })
@Check(
  'break_resolution_state',
  `case state when 'proposed' then decided_at is null and undone_at is null and needs_second when 'posted' then decided_at is not null and undone_at is null when 'rejected' then decided_at is not null and undone_at is null when 'undone' then decided_at is not null and undone_at is not null else false end`,
)
@Check(
  'break_resolution_posting',
  `case when kind = 'no-posting' then num_nonnulls(asset, amount, debit, credit) = 0 else num_nonnulls(asset, amount, debit, credit) = 4 and amount > 0 and debit <> credit end`,
)
@Check('break_resolution_second', `not needs_second or state in ('proposed', 'rejected') or decided_by <> proposed_by`)
export class BreakResolutionEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'break_resolution_pk' })
  id: string;

  @ForeignKey(() => BreakEntity, { name: 'break_resolution_break' })
  @Column({ type: 'text' })
  breakId: string;

  /** Which of the break's resolutions it is, from 1. */
  @Column({ type: 'integer' })
  nth: number;

  @Column({ type: 'text' })
  kind: ResolutionKind;

  @Column({ type: 'text' })
  text: string;

  @Column({ type: 'text', nullable: true })
  asset: AssetCode | null;

  @Column({ ...atomicColumn, nullable: true })
  amount: bigint | null;

  /** The ledger accounts; null where nothing is posted. */
  @Column({ type: 'text', nullable: true })
  debit: string | null;

  @Column({ type: 'text', nullable: true })
  credit: string | null;

  @Column({ type: 'text' })
  state: 'proposed' | 'posted' | 'rejected' | 'undone';

  /** Whether its amount takes a second operator, who is not the one who proposed it. */
  @Column({ type: 'boolean' })
  needsSecond: boolean;

  @Column({ type: 'text' })
  proposedBy: string;

  @Column({ type: 'text' })
  proposedName: string;

  @Column(timeColumn)
  proposedAt: Date;

  @Column({ type: 'text', nullable: true })
  decidedBy: string | null;

  @Column({ type: 'text', nullable: true })
  decidedName: string | null;

  @Column({ ...timeColumn, nullable: true })
  decidedAt: Date | null;

  /** When its journal was reversed: the break was opened again, or the difference went away by itself. */
  @Column({ ...timeColumn, nullable: true })
  undoneAt: Date | null;
}
