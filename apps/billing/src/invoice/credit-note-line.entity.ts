import { atomicColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { CreditNoteEntity } from './credit-note.entity.js';

/** How much of a line of the invoice a credit note takes back. Append-only. */
@Entity({ name: 'credit_note_line' })
@Check('credit_note_line_amount', 'amount <> 0')
export class CreditNoteLineEntity {
  @ForeignKey(() => CreditNoteEntity, { name: 'credit_note_line_note' })
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'credit_note_line_pk' })
  creditNoteId: string;

  /** The number of the invoice's line. */
  @PrimaryColumn({ type: 'integer', primaryKeyConstraintName: 'credit_note_line_pk' })
  line: number;

  /** Micro-dollars; below 0 where a line that took from the invoice is taken back. */
  @Column(atomicColumn)
  amount: bigint;
}
