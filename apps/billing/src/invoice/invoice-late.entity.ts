import { Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { InvoiceEntity } from './invoice.entity.js';

/** A charge of an earlier month that this invoice took in, for it was read after that month's was final. Append-only. */
@Entity({ name: 'invoice_late' })
@Index('invoice_late_by_entry', ['entryId'])
export class InvoiceLateEntity {
  @ForeignKey(() => InvoiceEntity, { name: 'invoice_late_invoice' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_late_pk' })
  invoiceId: string;

  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_late_pk' })
  entryId: string;
}
