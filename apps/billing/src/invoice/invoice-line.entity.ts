import { atomicColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { InvoiceEntity } from './invoice.entity.js';

/** One line of an invoice. Amounts in micro-dollars. */
@Entity({ name: 'invoice_line' })
@Check('invoice_line_kind', `kind in ('included', 'overage', 'plan', 'commit', 'adjustment', 'prepaid')`)
export class InvoiceLineEntity {
  @ForeignKey(() => InvoiceEntity, { name: 'invoice_line_invoice' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_line_pk' })
  invoiceId: string;

  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'invoice_line_pk' })
  line: number;

  @Column({ type: 'text' })
  kind: 'included' | 'overage' | 'plan' | 'commit' | 'adjustment' | 'prepaid';

  @Column({ type: 'text' })
  description: string;

  /** The product, on the lines that have one. */
  @Column({ type: 'text', nullable: true })
  sku: string | null;

  /** Units; one for a plan, a commit and an adjustment, and below 0 on what takes from the invoice. */
  @Column(atomicColumn)
  quantity: bigint;

  @Column(atomicColumn)
  unitPrice: bigint;

  @Column(atomicColumn)
  amount: bigint;
}
