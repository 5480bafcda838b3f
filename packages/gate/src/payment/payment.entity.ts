import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** As PostgreSQL says them, for they are compared. */
const endStates = `(state = ANY (ARRAY['final'::text, 'failed'::text, 'expired'::text]))`;
const nothingServed = `((flow = 'upfront'::text) AND (call IS NULL) AND (refund_due_at IS NULL))`;

/**
 * One payment authorization and the one exchange it belongs to: `claimed → served → settling → settled → final`, or
 * `failed` or `expired` in place of the last. A claim whose call was never submitted nor served is deleted again, for
 * then nothing can have moved.
 */
@Entity({ name: 'payment' })
@Unique('payment_exchange', ['exchangeId'])
@Check('payment_flow', `flow in ('authorization', 'upfront', 'deferred')`)
@Check('payment_state', `state in ('claimed', 'served', 'settling', 'settled', 'final', 'failed', 'expired')`)
@Check('payment_amount', 'amount > 0')
@Check('payment_served', `state <> 'served' or (call is not null and served_at is not null)`)
@Check(
  'payment_settling',
  `state <> 'settling' or (wallet is not null and wallet_nonce is not null and unused_at_block is not null)`,
)
@Check('payment_settled', `state not in ('settled', 'final') or transaction is not null`)
@Check('payment_refund', 'refund_due_at is null or call is null')
@Index('payment_open', ['replicaId'], { where: 'not closed' })
@Index('payment_unserved', ['replicaId'], { where: 'unserved' })
@Index('payment_nonce', ['network', 'wallet', 'walletNonce'], { where: 'wallet is not null' })
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
  state: string;

  /**
   * Whether it has come to its end. Computed; indexes ask for it and not for the state, for a step that changes what no
   * index speaks of costs none of them an entry.
   */
  @Column({ type: 'boolean', generatedType: 'STORED', asExpression: endStates })
  closed: boolean;

  /**
   * Whether it is to be settled before its call, and was neither served nor is its refund due. Computed, as `closed`.
   */
  @Column({ type: 'boolean', generatedType: 'STORED', asExpression: nothingServed })
  unserved: boolean;

  /** When it is settled: see docs/decisions. */
  @Column({ type: 'text', default: 'authorization' })
  flow: string;

  /** What it is paid for, should the call die with its process; null where it was claimed before this was kept. */
  @Column({ type: 'text', nullable: true })
  sku: string | null;

  /** When its call was served; of deferred and upfront payments. */
  @Column({ ...timeColumn, nullable: true })
  servedAt: Date | null;

  /** Since when its payer is owed a refund: it moved, and nothing was served. */
  @Column({ ...timeColumn, nullable: true })
  refundDueAt: Date | null;

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
}
