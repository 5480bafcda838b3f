import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** In the order of its life; see the trigger `invoice_kept` for the ways between them. */
export const invoiceStates = ['draft', 'final', 'partially_paid', 'paid', 'void', 'uncollectible'] as const;

export type InvoiceState = (typeof invoiceStates)[number];

/** What an account owes for a month. A draft is drawn up again as long as it is one; anything else never changes. */
@Entity({ name: 'invoice' })
@Unique('invoice_number', ['number'])
@Unique('invoice_sequence', ['series', 'sequence'])
@Check('invoice_state', `state in ('draft', 'final', 'partially_paid', 'paid', 'void', 'uncollectible')`)
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
  state: InvoiceState;

  @Column({ type: 'text' })
  account: string;

  @Column({ type: 'text' })
  accountName: string;

  /** The month, in UTC, with its start and without its end. */
  @Column(timeColumn)
  periodStart: Date;

  @Column(timeColumn)
  periodEnd: Date;

  /** Whose days the period is of. */
  @Column({ type: 'text', default: 'UTC' })
  timeZone: string;

  /** The sum of the lines, in micro-dollars. */
  @Column(atomicColumn)
  total: bigint;

  /** What is to be paid, in cents: the total, a half to the even one, and of a final one its tax. */
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

  /**
   * Of a draft SHA-256 of everything above and of the lines: one that is drawn up again and is the same has the same.
   * Of a final one SHA-256 of `document`.
   */
  @Column({ type: 'bytea' })
  digest: Buffer;

  @Column(timeColumn)
  createdAt: Date;

  /** When its content last changed. */
  @Column(timeColumn)
  updatedAt: Date;

  /** Which invoice of the account's month it is: those before it are void. */
  @Column({ type: 'integer', default: 1 })
  attempt: number;

  /** The number is the series and the sequence, which counts from 1 without gaps. All of these: null of a draft. */
  @Column({ type: 'text', nullable: true })
  series: string | null;

  @Column({ ...bigintColumn, nullable: true })
  sequence: bigint | null;

  @Column({ type: 'uuid', nullable: true })
  contractId: string | null;

  @Column({ type: 'uuid', nullable: true })
  customerId: string | null;

  /** Both as they were when the invoice became final. */
  @Column({ type: 'jsonb', nullable: true })
  seller: Readonly<Record<string, unknown>> | null;

  @Column({ type: 'jsonb', nullable: true })
  customer: Readonly<Record<string, unknown>> | null;

  @Column({ ...timeColumn, nullable: true })
  issuedAt: Date | null;

  @Column({ type: 'date', nullable: true })
  dueOn: string | null;

  /** In cents: the lines, and the tax on them. */
  @Column({ ...atomicColumn, nullable: true })
  subtotalCents: bigint | null;

  @Column({ ...atomicColumn, nullable: true })
  taxCents: bigint | null;

  /** Null where the customer has no code of tax. */
  @Column({ type: 'text', nullable: true })
  taxCode: string | null;

  @Column({ type: 'integer', nullable: true })
  taxPoints: number | null;

  /** What the invoice must say of its tax, such as why it is the customer's to pay. */
  @Column({ type: 'text', nullable: true })
  taxReason: string | null;

  /** The log was read up to here: a charge of the month with a later place is for the next invoice. */
  @Column({ ...bigintColumn, nullable: true })
  upToPlace: bigint | null;

  @Column({ ...bigintColumn, nullable: true })
  firstPlace: bigint | null;

  @Column({ ...bigintColumn, nullable: true })
  lastPlace: bigint | null;

  /** SHA-256 over the ids of its entries, in the order of their places, with commas between them. */
  @Column({ type: 'bytea', nullable: true })
  entriesDigest: Buffer | null;

  /** All that was frozen, as canonical JSON (RFC 8785). */
  @Column({ type: 'text', nullable: true })
  document: string | null;

  /** In micro-dollars: payments, and credit notes. */
  @Column({ ...atomicColumn, default: 0 })
  paid: bigint;

  @Column({ ...atomicColumn, default: 0 })
  credited: bigint;

  /** Who approved which digest of a draft that is over the limit. */
  @Column({ type: 'bytea', nullable: true })
  approvedDigest: Buffer | null;

  @Column({ type: 'text', nullable: true })
  approvedBy: string | null;
}
