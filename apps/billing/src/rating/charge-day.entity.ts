import type { Rail } from '@keyfare/core/metering';
import type { AssetCode } from '@keyfare/core/money';
import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

const key = { primaryKeyConstraintName: 'charge_day_pk' } as const;

/** The sums of a day's charges (UTC). The database keeps them in the transaction that writes a charge. */
@Entity({ name: 'charge_day' })
@Index('charge_day_by_day', ['day', 'rail', 'sku', 'customer', 'account', 'asset'])
@Index('charge_day_by_caller', ['periodStart', 'rail', 'customer', 'asset'])
export class ChargeDayEntity {
  /** The month, in UTC. */
  @PrimaryColumn({ ...timeColumn, ...key })
  periodStart: Date;

  @PrimaryColumn({ type: 'text', ...key })
  rail: Rail;

  @PrimaryColumn({ type: 'text', ...key })
  sku: string;

  /** The account, or the wallet of a caller without one. */
  @PrimaryColumn({ type: 'text', ...key })
  customer: string;

  /** The account; empty for a caller without one. */
  @PrimaryColumn({ type: 'text', ...key })
  account: string;

  @PrimaryColumn({ type: 'text', ...key })
  asset: AssetCode;

  @PrimaryColumn({ type: 'date', ...key })
  day: string;

  /** Of a unit beyond the plan; 0 on the rails that have none. */
  @PrimaryColumn({ ...atomicColumn, ...key })
  unitPrice: bigint;

  /** The start of the period whose invoice they are for. */
  @PrimaryColumn({ ...timeColumn, ...key })
  billedIn: Date;

  @Column(bigintColumn)
  calls: bigint;

  @Column(atomicColumn)
  units: bigint;

  @Column(atomicColumn)
  included: bigint;

  @Column(atomicColumn)
  overage: bigint;

  @Column(atomicColumn)
  amount: bigint;
}
