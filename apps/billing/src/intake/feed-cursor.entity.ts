import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How far a feed was read. It moves in the transaction that stores what was read. */
@Entity({ name: 'feed_cursor' })
export class FeedCursorEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'feed_cursor_pk' })
  feed: string;

  @Column(bigintColumn)
  tx: bigint;

  @Column(bigintColumn)
  position: bigint;

  /** Every entry of a transaction older than this one is in. */
  @Column(bigintColumn)
  horizon: bigint;

  /** Every entry that was committed by then is in; null before the first such moment. */
  @Column({ ...timeColumn, nullable: true })
  completeAsOf: Date | null;

  /** When the horizon passes this transaction, the feed is complete as of `awaitedSince`. */
  @Column({ ...bigintColumn, nullable: true })
  awaitedTx: bigint | null;

  @Column({ ...timeColumn, nullable: true })
  awaitedSince: Date | null;
}
