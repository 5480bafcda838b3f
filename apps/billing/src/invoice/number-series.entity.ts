import { bigintColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The number that a series gave last. Who takes the next one holds the row until the invoice has it. */
@Entity({ name: 'number_series' })
export class NumberSeriesEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'number_series_pk' })
  series: string;

  @Column(bigintColumn)
  last: bigint;
}
