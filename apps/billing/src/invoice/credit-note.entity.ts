import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { InvoiceEntity } from './invoice.entity.js';

/** What is taken back of an invoice. Append-only. */
@Entity({ name: 'credit_note' })
@Unique('credit_note_sequence', ['series', 'sequence'])
@Check('credit_note_total', 'total_cents > 0 and total_cents = subtotal_cents + tax_cents')
@Index('credit_note_by_invoice', ['invoiceId'])
export class CreditNoteEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'credit_note_pk' })
  id: string;

  @ForeignKey(() => InvoiceEntity, { name: 'credit_note_invoice' })
  @Column({ type: 'uuid' })
  invoiceId: string;

  @Column({ type: 'text' })
  number: string;

  @Column({ type: 'text' })
  series: string;

  @Column(bigintColumn)
  sequence: bigint;

  @Column({ type: 'text' })
  reason: string;

  /** The sum of its lines, in micro-dollars. */
  @Column(atomicColumn)
  amount: bigint;

  @Column(atomicColumn)
  subtotalCents: bigint;

  @Column(atomicColumn)
  taxCents: bigint;

  @Column(atomicColumn)
  totalCents: bigint;

  /** Micro-dollars of it that were paid already, and are the customer's credit now. */
  @Column(atomicColumn)
  toCredit: bigint;

  /** SHA-256 of `document`. */
  @Column({ type: 'bytea' })
  digest: Buffer;

  /** All of it, as canonical JSON (RFC 8785). */
  @Column({ type: 'text' })
  document: string;

  @Column(timeColumn)
  issuedAt: Date;
}
