import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A price that was on offer. Rows are only added. */
@Entity({ name: 'price' })
@Index('price_sku', ['sku', 'firstSeenAt'])
@Check('price_id', "id ~ '^price_[0-9a-f]{32}$'")
export class PriceEntity {
  /** Of the content: the same price has the same id on every replica and after every start. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'price_pk' })
  id: string;

  @Column({ type: 'text' })
  sku: string;

  /** JSON: the bytes that the id is the digest of. */
  @Column({ type: 'text' })
  terms: string;

  /** When a process first had it on offer, by the clock of the database. */
  @Column({ ...timeColumn, default: () => 'now()' })
  firstSeenAt: Date;
}
