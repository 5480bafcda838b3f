import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { InvoiceEntity } from './invoice.entity.js';

/** What a day earns of a plan's fee, or the last one of a commit. The days of a line come to the line. */
@Entity({ name: 'invoice_release' })
export class InvoiceReleaseEntity {
  @ForeignKey(() => InvoiceEntity, { name: 'invoice_release_invoice' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_release_pk' })
  invoiceId: string;

  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'invoice_release_pk' })
  line: number;

  @PrimaryColumn({ type: 'date', primaryKeyConstraintName: 'invoice_release_pk' })
  day: string;

  /** The plan's; null of a commit. */
  @Column({ type: 'text', nullable: true })
  slug: string | null;

  /** Micro-dollars. */
  @Column(atomicColumn)
  amount: bigint;

  /** When it was moved from deferred revenue to revenue; null before. */
  @Column({ ...timeColumn, nullable: true })
  releasedAt: Date | null;
}
