import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** What the first day of a period follows from: the first of a month, or the day of the month on which it started. */
export const periodAnchors = ['calendar', 'anniversary'] as const;
export type PeriodAnchor = (typeof periodAnchors)[number];

/**
 * From when on the periods of an account's invoices are others: what its contracts come to, in the transaction that
 * writes them. Before the first, and of an account without any, they are months in UTC.
 */
@Entity({ name: 'billing_cycle' })
@Check('billing_cycle_anchor', `anchor in ('calendar', 'anniversary')`)
export class BillingCycleEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'billing_cycle_pk' })
  account: string;

  @PrimaryColumn({ ...timeColumn, primaryKeyConstraintName: 'billing_cycle_pk' })
  startsAt: Date;

  @Column({ type: 'text' })
  anchor: PeriodAnchor;

  @Column({ type: 'text' })
  timeZone: string;
}
