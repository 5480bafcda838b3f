import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** When a final invoice was last compared with what was frozen of it and with its charges, by a run that proves. */
@Entity({ name: 'invoice_proof' })
@Index('invoice_proof_read', ['readAt'])
export class InvoiceProofEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_proof_pk' })
  invoiceId: string;

  /** What its credit notes came to: with another one it is read again. */
  @Column(atomicColumn)
  credited: bigint;

  @Column(timeColumn)
  readAt: Date;
}
