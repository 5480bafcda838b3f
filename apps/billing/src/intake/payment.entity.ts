import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/**
 * A payment as the API recorded it: settled, with the call it paid for, or failed after the call was served. Its key on
 * the chain is (network, asset, payer, nonce), which EIP-3009 lets be used once. Append-only.
 */
@Entity({ name: 'payment' })
@Check('payment_outcome', `outcome in ('settled', 'unpaid')`)
@Check('payment_amount', 'amount >= 0')
@Index('payment_key', ['network', 'asset', 'payer', 'nonce'])
@Index('payment_order', ['tx', 'position'])
export class PaymentEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'payment_pk' })
  entryId: string;

  @Column({ type: 'text' })
  outcome: 'settled' | 'unpaid';

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

  @Column({ type: 'text' })
  sku: string;

  @Column({ type: 'text' })
  resourceUrl: string;

  /** Why it failed; null when it did not. */
  @Column({ type: 'text', nullable: true })
  reason: string | null;

  @Column(timeColumn)
  issuedAt: Date;

  @Column(bigintColumn)
  tx: bigint;

  @Column(bigintColumn)
  position: bigint;
}
