import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A month that is locked, or was. */
@Entity({ name: 'accounting_month' })
export class AccountingMonthEntity {
  /** Its first day. */
  @PrimaryColumn({ type: 'date', primaryKeyConstraintName: 'accounting_month_pk' })
  month: string;

  /** Null while it is open. */
  @Column({ ...timeColumn, nullable: true })
  lockedAt: Date | null;

  @Column({ type: 'text', nullable: true })
  lockedBy: string | null;
}
