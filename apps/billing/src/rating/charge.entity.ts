import type { Rail } from '@keyfare/core/metering';
import type { AssetCode } from '@keyfare/core/money';
import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A rated call. Append-only. */
@Entity({ name: 'charge' })
@Check('charge_rail', `rail in ('key', 'x402', 'free')`)
@Check('charge_amount', 'units >= 0 and included >= 0 and overage >= 0 and amount >= 0')
@Check(
  'charge_split',
  `case rail when 'key' then asset = 'USD' and included + overage = units and amount = overage * unit_price and terms_id is not null and account is not null when 'free' then asset = 'USD' and included = 0 and overage = 0 and amount = 0 and unit_price is null and terms_id is null and account is null and payer is not null else asset in ('USDC', 'EURC') and included = 0 and overage = 0 and payer is not null end`,
)
@Check(
  'charge_billed_in',
  `billed_in is null or (rail = 'key' and billed_in <= occurred_at and billed_in <> period_start)`,
)
@Index('charge_account', ['account', 'periodStart', 'place'], { where: `rail = 'key'` })
@Index('charge_place', ['place'], { type: 'brin' })
@Index('charge_by_period', ['account', 'billedIn', 'place'], { where: 'billed_in is not null' })
export class ChargeEntity {
  /** The entry, and so the exchange and the receipt. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'charge_pk' })
  entryId: string;

  @Column({ type: 'text' })
  rail: Rail;

  @Column({ type: 'text', nullable: true })
  account: string | null;

  @Column({ type: 'text', nullable: true })
  payer: string | null;

  @Column({ type: 'text' })
  sku: string;

  @Column(bigintColumn)
  units: bigint;

  /**
   * Of the units, those that the plan includes; none on the x402 rail, where each call is paid, and none on the free.
   */
  @Column(bigintColumn)
  included: bigint;

  @Column(bigintColumn)
  overage: bigint;

  /** Micro-dollars for a unit of overage, zero where the plan does not invoice it; null on the other rails. */
  @Column({ ...atomicColumn, nullable: true })
  unitPrice: bigint | null;

  /** `USD` counts micro-dollars. */
  @Column({ type: 'text' })
  asset: AssetCode;

  @Column(atomicColumn)
  amount: bigint;

  /** The terms it was rated by; null on the other rails. */
  @Column({ type: 'uuid', nullable: true })
  termsId: string | null;

  /** The month, in UTC. */
  @Column(timeColumn)
  periodStart: Date;

  /** The start of the period whose invoice it is for; null: the month. */
  @Column({ ...timeColumn, nullable: true })
  billedIn: Date | null;

  @Column(timeColumn)
  occurredAt: Date;

  /** The entry's place in the log: the order in which units fill the plan. */
  @Column(bigintColumn)
  place: bigint;
}
