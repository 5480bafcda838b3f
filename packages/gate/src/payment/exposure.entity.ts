import { atomicColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** What a payer has promised in payments that are claimed and not yet on the chain: at most their balance. */
@Entity({ name: 'payer_exposure' })
@Check('payer_exposure_open', 'open >= 0')
export class ExposureEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payer_exposure_pk' })
  network: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payer_exposure_pk' })
  asset: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payer_exposure_pk' })
  payer: string;

  @Column(atomicColumn)
  open: bigint;
}

/** What all payers together have open in deferred payments. */
@Entity({ name: 'open_total' })
@Check('open_total_open', 'open >= 0')
export class OpenTotalEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'open_total_pk' })
  network: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'open_total_pk' })
  asset: string;

  @Column(atomicColumn)
  open: bigint;
}
