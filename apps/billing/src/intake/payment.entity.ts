import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * What one entry says of a payment. A `settled` or `deferred` call and a `refund-due` bring a payment in; `settlement`,
 * `reversed`, and `unpaid` with a call, tell how it went on. Its key on the chain is (network, asset, payer, nonce),
 * which EIP-3009 lets be used once. Append-only.
 */
@Entity({ name: 'payment' })
@Check('payment_outcome', `outcome in ('settled', 'deferred', 'refund-due', 'settlement', 'reversed', 'unpaid')`)
@Check('payment_amount', 'amount >= 0')
@Index('payment_key', ['network', 'asset', 'payer', 'nonce'])
@Index('payment_order', ['place'])
@Index('payment_owed_back', ['entryId'], { where: `outcome = 'refund-due'` })
@Index('payment_issued', ['issuedAt'])
@Index('payment_unpaid', ['issuedAt'], { where: `outcome = 'unpaid'` })
@Index('payment_owed', ['issuedAt'], { where: `outcome = 'refund-due'` })
@Index('payment_call', ['callId'], { where: 'call_id is not null' })
export class PaymentEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'payment_pk' })
  entryId: string;

  @Column({ type: 'text' })
  outcome: 'settled' | 'deferred' | 'refund-due' | 'settlement' | 'reversed' | 'unpaid';

  /** The entry whose payment this one tells of; null for an entry that brings its payment in. */
  @Column({ type: 'uuid', nullable: true })
  callId: string | null;

  @Column({ type: 'text' })
  network: string;

  @Column({ type: 'text' })
  asset: string;

  @Column({ type: 'text' })
  payer: string;

  @Column({ type: 'text' })
  nonce: string;

  @Column({ type: 'text' })
  payTo: string;

  /** Atomic units of the asset. */
  @Column(atomicColumn)
  amount: bigint;

  @Column({ type: 'text', nullable: true })
  transaction: string | null;

  /** Null where the document does not say it: it is that of the entry which `callId` names. */
  @Column({ type: 'text', nullable: true })
  sku: string | null;

  @Column({ type: 'text', nullable: true })
  resourceUrl: string | null;

  /** Why it failed, or is owed back; null when it did neither. */
  @Column({ type: 'text', nullable: true })
  reason: string | null;

  @Column(timeColumn)
  issuedAt: Date;

  @Column(bigintColumn)
  place: bigint;
}
