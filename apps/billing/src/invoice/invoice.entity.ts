import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** What an account owes for a month. A draft is drawn up again as long as it is one; anything else never changes. */
@Entity({ name: 'invoice' })
@Unique('invoice_number', ['number'])
@Check('invoice_state', `state in ('draft', 'final', 'paid', 'void')`)
@Check('invoice_numbered', `(state = 'draft') = (number is null)`)
@Check('invoice_period', 'period_start < period_end')
@Index('invoice_account_period', ['account', 'periodStart'], { unique: true, where: `state <> 'void'` })
@Index('invoice_by_period', ['periodStart', 'account'])
export class InvoiceEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'invoice_pk' })
  id: string;

  /** Given when the invoice becomes final, without gaps. */
  @Column({ type: 'text', nullable: true })
  number: string | null;

  @Column({ type: 'text' })
  state: 'draft' | 'final' | 'paid' | 'void';

  @Column({ type: 'text' })
  account: string;

  @Column({ type: 'text' })
  accountName: string;

  /** The month, in UTC, with its start and without its end. */
  @Column(timeColumn)
  periodStart: Date;

  @Column(timeColumn)
  periodEnd: Date;

  /** The sum of the lines, in micro-dollars. */
  @Column(atomicColumn)
  total: bigint;

  /** The total in cents, a half to the even one: what is to be paid. */
  @Column(atomicColumn)
  payableCents: bigint;

  /** How many receipts it covers, and the first and the last of them in the order of the log. */
  @Column(bigintColumn)
  receipts: bigint;

  @Column({ type: 'uuid', nullable: true })
  firstEntry: string | null;

  @Column({ type: 'uuid', nullable: true })
  lastEntry: string | null;

  /**
   * How many of the account's terms began before the month ended. Terms and charges are only ever added: with
   * `receipts` this tells whether anything came since the draft was drawn up.
   */
  @Column(bigintColumn)
  terms: bigint;

  /** SHA-256 of everything above and of the lines: an invoice that is drawn up again and is the same has the same. */
  @Column({ type: 'bytea' })
  digest: Buffer;

  @Column(timeColumn)
  createdAt: Date;

  /** When its content last changed. */
  @Column(timeColumn)
  updatedAt: Date;
}
