import { timeColumn } from '@keyfare/db/columns';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A document that we signed, byte for byte. Append-only. */
@Entity({ name: 'receipt' })
export class ReceiptEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'receipt_pk' })
  id: string;

  /** `call`, `terms` or `unpaid`, as the entry with the same id says. */
  @Column({ type: 'text' })
  kind: string;

  @Column({ type: 'text' })
  principal: string;

  @Column({ type: 'text' })
  kid: string;

  @Column({ type: 'text' })
  jws: string;

  @Column(timeColumn)
  issuedAt: Date;
}
