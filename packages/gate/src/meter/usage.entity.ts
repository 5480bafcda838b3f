import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The units of one served call, on either rail. Append-only. */
@Entity({ name: 'usage' })
@Check('usage_units', 'units > 0')
@Check('usage_rail', `rail in ('key', 'x402')`)
@Check(
  'usage_principal',
  `case rail when 'key' then account_id is not null and key_id is not null and payer is null else payer is not null end`,
)
@Index('usage_account', ['accountId', 'occurredAt'], { where: 'account_id is not null' })
export class UsageEntity {
  /** The id of the exchange, and of its receipt and entry. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'usage_pk' })
  id: string;

  @Column({ type: 'text' })
  rail: 'key' | 'x402';

  @Column({ type: 'text', nullable: true })
  accountId: string | null;

  @Column({ type: 'text', nullable: true })
  payer: string | null;

  @Column({ type: 'text', nullable: true })
  keyId: string | null;

  @Column({ type: 'text' })
  sku: string;

  @Column(bigintColumn)
  units: bigint;

  /** The month whose allowance the units were taken from. */
  @Column(timeColumn)
  periodStart: Date;

  /** When the request arrived. */
  @Column(timeColumn)
  occurredAt: Date;
}
