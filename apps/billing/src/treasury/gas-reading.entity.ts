import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

export const readingStates = ['agreed', 'proposed', 'posted', 'superseded'] as const;
export const readingKinds = ['opening', 'top-up', 'other-gas'] as const;

/**
 * What a settler held of the network's own coin after a final block, beside what the books say that it held. Coins move
 * without a log, so what came in is seen by the balance alone.
 */
@Entity({ name: 'gas_reading' })
@Check('gas_reading_state', `state in ('agreed', 'proposed', 'posted', 'superseded')`)
@Check('gas_reading_kind', `(kind is null) = (balance = booked) and kind in ('opening', 'top-up', 'other-gas')`)
@Check('gas_reading_decided', `(decided_at is null) = (state <> 'posted' or kind = 'opening')`)
@Index('gas_reading_block', ['network', 'wallet', 'blockNumber'], { unique: true })
export class GasReadingEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'gas_reading_pk' })
  id: string;

  @Column({ type: 'text' })
  network: string;

  @Column({ type: 'text' })
  wallet: string;

  @Column(bigintColumn)
  blockNumber: bigint;

  @Column(timeColumn)
  blockTime: Date;

  /** Wei. */
  @Column(atomicColumn)
  balance: bigint;

  /** Wei, as the books had it after that block: negative before what the wallet was funded with is posted. */
  @Column(atomicColumn)
  booked: bigint;

  /** `superseded` by a later reading, before anybody had decided. */
  @Column({ type: 'text' })
  state: (typeof readingStates)[number];

  /** What the difference is taken for; null where there is none. */
  @Column({ type: 'text', nullable: true })
  kind: (typeof readingKinds)[number] | null;

  @Column(timeColumn)
  takenAt: Date;

  @Column({ type: 'text', nullable: true })
  decidedBy: string | null;

  @Column({ ...timeColumn, nullable: true })
  decidedAt: Date | null;
}
