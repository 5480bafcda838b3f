import { bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How far a feed was read. It moves in the transaction that stores what was read. */
@Entity({ name: 'feed_cursor' })
export class FeedCursorEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'feed_cursor_pk' })
  feed: string;

  /** The place of the entry that was read last. */
  @Column(bigintColumn)
  place: bigint;

  /** Every entry that was committed by then is in, by the clock of the API's database: microseconds since 1970. */
  @Column(bigintColumn)
  logAsOf: bigint;

  /** The same by the clock of the books; null before the first such moment. */
  @Column({ ...timeColumn, nullable: true })
  completeAsOf: Date | null;

  /** When `logAsOf` reaches this, the feed is complete as of `awaitedSince`. */
  @Column({ ...bigintColumn, nullable: true })
  awaitedAsOf: bigint | null;

  @Column({ ...timeColumn, nullable: true })
  awaitedSince: Date | null;
}
