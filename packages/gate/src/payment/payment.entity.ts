import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/**
 * One payment authorisation and the one exchange it belongs to. `claimed → submitted → settled | failed`; a claim whose
 * call was never submitted is deleted again, for then nothing was served and nothing can have moved.
 */
@Entity({ name: 'payment' })
@Unique('payment_exchange', ['exchangeId'])
@Check('payment_state', `state in ('claimed', 'submitted', 'settled', 'failed')`)
@Check('payment_amount', 'amount > 0')
@Check(
  'payment_submitted',
  `state = 'claimed' or (wallet is not null and wallet_nonce is not null and call is not null
    and unused_at_block is not null)`,
)
@Check('payment_settled', `state <> 'settled' or transaction is not null`)
@Index('payment_open', ['state', 'replicaId'], { where: `state in ('claimed', 'submitted')` })
export class PaymentEntity {
  /** CAIP-2. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payment_pk' })
  network: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payment_pk' })
  asset: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payment_pk' })
  payer: string;

  /** EIP-3009 nonce, 0x and 64 hex digits. */
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'payment_pk' })
  nonce: string;

  @Column({ type: 'uuid' })
  exchangeId: string;

  /** The process that works on it. */
  @Column({ type: 'uuid' })
  replicaId: string;

  /** Set where an account pays beyond its plan. */
  @Column({ type: 'text', nullable: true })
  accountId: string | null;

  @Column({ type: 'text', nullable: true })
  keyId: string | null;

  /** SHA-256 over method, URL and body digest: which request the payment was made for. */
  @Column({ type: 'bytea' })
  fingerprint: Buffer;

  @Column({ type: 'text' })
  payTo: string;

  @Column(atomicColumn)
  amount: bigint;

  /** As the payer signed it: any uint256. */
  @Column(atomicColumn)
  validAfter: bigint;

  @Column(atomicColumn)
  validBefore: bigint;

  @Column({ type: 'bytea' })
  signature: Buffer;

  @Column({ type: 'text', default: 'claimed' })
  state: 'claimed' | 'submitted' | 'settled' | 'failed';

  @Column(timeColumn)
  claimedAt: Date;

  /** A block at which the authorization was still unused: its use is in none before. */
  @Column({ ...bigintColumn, nullable: true })
  unusedAtBlock: bigint | null;

  /** Until when the first caller waits for the settlement; after that the outcome counts as unknown. */
  @Column({ ...timeColumn, nullable: true })
  waitingUntil: Date | null;

  @Column({ type: 'text', nullable: true })
  wallet: string | null;

  @Column({ ...bigintColumn, nullable: true })
  walletNonce: bigint | null;

  /** The transaction that moved the money. */
  @Column({ type: 'text', nullable: true })
  transaction: string | null;

  @Column({ type: 'text', nullable: true })
  failure: string | null;

  /** What the receipt will say, kept from before the broadcast so that any process can issue it. */
  @Column({ type: 'jsonb', nullable: true })
  call: Record<string, unknown> | null;

  @Column({ type: 'bytea', nullable: true })
  responseBody: Buffer | null;
}
