import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** One version of a plan's terms. A version never changes: new terms are a new version. */
@Entity({ name: 'plan' })
@Unique('plan_slug_version', ['slug', 'version'])
@Check('plan_overage', `overage in ('reject', 'invoice', 'x402')`)
@Check('plan_amounts', 'included_units >= 0 and overage_price >= 0 and monthly_price >= 0')
export class PlanEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'plan_pk' })
  id: string;

  @Column({ type: 'text' })
  slug: string;

  @Column({ type: 'integer' })
  version: number;

  /** Units in each calendar month (UTC) that cost nothing more. */
  @Column(bigintColumn)
  includedUnits: bigint;

  /** What happens to a call when the included units are used up. */
  @Column({ type: 'text' })
  overage: 'reject' | 'invoice' | 'x402';

  /** Micro-dollars for each unit beyond the included ones; 0 where none was set. */
  @Column(atomicColumn)
  overagePrice: bigint;

  /** Whether `overagePrice` was set: else its 0 is no price. False in plans from before zero was told from not set. */
  @Column({ type: 'boolean', default: false })
  overageIsPriced: boolean;

  /** Micro-dollars for each month. */
  @Column(atomicColumn)
  monthlyPrice: bigint;

  @Column(timeColumn)
  createdAt: Date;
}
