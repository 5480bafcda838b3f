import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

/** How far a wallet's transfers were read. It moves in the transaction that stores what was read. */
@Entity({ name: 'chain_cursor' })
@Check('chain_cursor_doubt', `doubt in ('behind', 'rewritten', 'diverged')`)
export class ChainCursorEntity {
  /** `<network>/<asset>/<wallet>`. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'chain_cursor_pk' })
  watch: string;

  @Column({ type: 'text' })
  network: string;

  @Column({ type: 'text' })
  asset: string;

  @Column({ type: 'text' })
  payTo: string;

  /** The first block whose transfers count. */
  @Column(bigintColumn)
  startBlock: bigint;

  /** What the wallet held before that block; null while no node could tell. */
  @Column({ ...atomicColumn, nullable: true })
  openingBalance: bigint | null;

  /** The last block that was read; the one before the start at first. */
  @Column(bigintColumn)
  blockNumber: bigint;

  @Column({ type: 'text', nullable: true })
  blockHash: string | null;

  @Column({ ...timeColumn, nullable: true })
  blockTime: Date | null;

  /** The newest block that the chain was seen to have. */
  @Column(bigintColumn)
  headNumber: bigint;

  /** Transfers up to this block are final. */
  @Column(bigintColumn)
  finalizedNumber: bigint;

  /** Everything that the chain showed at this moment is in; null before the head was first reached. */
  @Column({ ...timeColumn, nullable: true })
  completeAsOf: Date | null;

  /** How the node contradicts what was read, see `ChainDoubt`; null when it does not. */
  @Column({ type: 'text', nullable: true })
  doubt: string | null;

  /** Since when it does. */
  @Column({ ...timeColumn, nullable: true })
  doubtedSince: Date | null;
}
