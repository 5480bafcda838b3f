import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** A rate of tax, from a day on; with reverse charge the customer owes it, and the reason says so. */
@Entity({ name: 'tax_rate' })
@Unique('tax_rate_code', ['code', 'validFrom'])
@Check('tax_rate_points', 'basis_points between 0 and 10000')
@Check('tax_rate_reverse', 'not reverse_charge or (basis_points = 0 and reason is not null)')
export class TaxRateEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'tax_rate_pk' })
  id: string;

  @Column({ type: 'text' })
  code: string;

  @Column(timeColumn)
  validFrom: Date;

  @Column({ type: 'integer' })
  basisPoints: number;

  @Column({ type: 'boolean' })
  reverseCharge: boolean;

  @Column({ type: 'text', nullable: true })
  reason: string | null;

  @Column(timeColumn)
  createdAt: Date;
}
