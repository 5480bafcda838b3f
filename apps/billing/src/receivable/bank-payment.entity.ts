import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { BankAccountEntity } from './bank-account.entity.js';

/** A line of a bank statement. It is stored once, whatever files it is in, and never changes. */
@Entity({ name: 'bank_payment' })
@Unique('bank_payment_line', ['bankAccountId', 'digest', 'nth'])
@Index('bank_payment_by_day', ['bookedOn', 'id'])
export class BankPaymentEntity {
  /** Follows from the bank account, the digest and `nth`. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'bank_payment_pk' })
  id: string;

  @Column({ type: 'uuid' })
  @ForeignKey(() => BankAccountEntity, { name: 'bank_payment_account' })
  bankAccountId: string;

  @Column({ type: 'date' })
  bookedOn: string;

  /** In micro-dollars, whole cents; what went out is negative. */
  @Column(atomicColumn)
  amount: bigint;

  @Column({ type: 'text' })
  currency: string;

  @Column({ type: 'text' })
  payer: string;

  @Column({ type: 'text' })
  reference: string;

  /** SHA-256 of all that the statement says of it. */
  @Column({ type: 'bytea' })
  digest: Buffer;

  /** Which of several equal lines it is, from 0. */
  @Column({ type: 'integer' })
  nth: number;

  @Column({ type: 'text' })
  importedBy: string;

  @Column(timeColumn)
  importedAt: Date;
}
