import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** Entries that are committed and have no place yet: one row for each post. */
@Entity({ name: 'unplaced' })
export class UnplacedEntity {
  @PrimaryColumn({
    ...bigintColumn,
    generated: 'identity',
    generatedIdentity: 'ALWAYS',
    primaryKeyConstraintName: 'unplaced_pk',
  })
  serial: bigint;

  @Column({ type: 'uuid', array: true })
  ids: string[];
}

/** Entries at the places from `firstPlace` to `lastPlace`, in this order. Append-only. */
@Entity({ name: 'placed' })
@Check('placed_places', 'last_place - first_place + 1 = cardinality(ids)')
export class PlacedEntity {
  @Column(bigintColumn)
  firstPlace: bigint;

  @PrimaryColumn({ ...bigintColumn, primaryKeyConstraintName: 'placed_pk' })
  lastPlace: bigint;

  @Column({ type: 'uuid', array: true })
  ids: string[];
}

/** The lease of the one process that gives places, and how far it has come: one row. */
@Entity({ name: 'sequencer' })
@Check('sequencer_once', 'id = 1')
export class SequencerEntity {
  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'sequencer_pk' })
  id: number;

  @Column({ type: 'uuid', nullable: true })
  holder: string | null;

  /** Grows with each change of the holder: what an earlier one still sends is refused. */
  @Column({ ...bigintColumn, default: 0 })
  epoch: bigint;

  @Column({ ...timeColumn, default: () => 'now()' })
  expiresAt: Date;

  @Column({ ...bigintColumn, default: 1 })
  nextPlace: bigint;

  /** Every entry that was committed before has its place. */
  @Column({ ...timeColumn, default: () => 'now()' })
  asOf: Date;
}
