import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A run of the reconciliation as somebody asked for it: it waits, goes on, and ends. Its report has the same id. */
@Entity({ name: 'reconciliation_run' })
@Check('reconciliation_run_scope', `scope in ('recent', 'full')`)
@Check('reconciliation_run_trigger', `trigger in ('manual', 'schedule')`)
@Check(
  'reconciliation_run_state',
  `case state when 'queued' then worker is null and finished_at is null when 'running' then worker is not null and beaten_at is not null and finished_at is null when 'done' then finished_at is not null when 'failed' then finished_at is not null and failure is not null else false end`,
)
@Index('reconciliation_run_open', ['scope'], { unique: true, where: `state in ('queued', 'running')` })
@Index('reconciliation_run_running', ['state'], { unique: true, where: `state = 'running'` })
@Index('reconciliation_run_requested', ['requestedAt', 'id'])
export class ReconciliationRunEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'reconciliation_run_pk' })
  id: string;

  /** `recent`: what is open, new, or due to be read again. `full`: all of the books, with every signature. */
  @Column({ type: 'text' })
  scope: 'recent' | 'full';

  @Column({ type: 'text' })
  trigger: 'manual' | 'schedule';

  @Column({ type: 'text' })
  state: 'queued' | 'running' | 'done' | 'failed';

  @Column(timeColumn)
  requestedAt: Date;

  @Column({ ...timeColumn, nullable: true })
  startedAt: Date | null;

  @Column({ ...timeColumn, nullable: true })
  finishedAt: Date | null;

  /** What it is at. */
  @Column({ type: 'text', nullable: true })
  checkName: string | null;

  @Column({ type: 'int', default: 0 })
  checksDone: number;

  @Column({ type: 'int', default: 0 })
  checksTotal: number;

  /** The process that does it. */
  @Column({ type: 'uuid', nullable: true })
  worker: string | null;

  /** How many processes have begun it. */
  @Column({ type: 'int', default: 0 })
  attempts: number;

  /** When the worker last showed that it lives, by the database's clock. */
  @Column({ ...timeColumn, nullable: true })
  beatenAt: Date | null;

  /** Why it failed, or what could not be booked before it. */
  @Column({ type: 'text', nullable: true })
  failure: string | null;
}
