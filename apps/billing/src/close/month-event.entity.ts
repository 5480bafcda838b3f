import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { ChecklistItem } from './checklist.js';

/** A month was locked, or opened again, with the checklist as it was then. Append-only. */
@Entity({ name: 'month_event' })
@Index('month_event_of', ['month', 'id'])
@Check('month_event_what', `what in ('locked', 'reopened')`)
@Check('month_event_reason', `what = 'locked' or reason is not null`)
export class MonthEventEntity {
  @PrimaryColumn({
    ...bigintColumn,
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'month_event_pk',
  })
  id: bigint;

  @Column({ type: 'date' })
  month: string;

  @Column({ type: 'text' })
  what: 'locked' | 'reopened';

  @Column(timeColumn)
  at: Date;

  @Column({ type: 'text' })
  operatorId: string;

  @Column({ type: 'text' })
  operatorName: string;

  /** Why it was opened again; null for a lock. */
  @Column({ type: 'text', nullable: true })
  reason: string | null;

  @Column({ type: 'jsonb' })
  checklist: readonly ChecklistItem[];
}
