import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** Where a refund stands, in this order; `rejected` and `credited` are the other ends. */
export const refundStates = ['proposed', 'rejected', 'credited', 'approved', 'settling', 'settled', 'final'] as const;
export type RefundState = (typeof refundStates)[number];

/** Money that is owed back by an entry `refund-due`, on its way to its payer: one refund for one entry. */
@Entity({ name: 'refund' })
@Check('refund_state', `state in ('proposed', 'rejected', 'credited', 'approved', 'settling', 'settled', 'final')`)
@Check('refund_amount', 'amount > 0')
@Check('refund_decided', `(decided_by is null) = (state = 'proposed')`)
@Check('refund_second', `state in ('proposed', 'rejected', 'credited') or decided_by <> proposed_by`)
@Check('refund_placed', `(wallet_nonce is not null) = (state in ('settling', 'settled', 'final'))`)
@Index('refund_open', ['state'], { where: `state in ('approved', 'settling', 'settled')` })
export class RefundEntity {
  /** The entry that says that it is due. The nonce of its authorization follows from it. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'refund_pk' })
  entryId: string;

  /** CAIP-2. */
  @Column({ type: 'text' })
  network: string;

  @Column({ type: 'text' })
  asset: string;

  /** Who paid, and gets it back. */
  @Column({ type: 'text' })
  payer: string;

  @Column(atomicColumn)
  amount: bigint;

  @Column({ type: 'text' })
  state: RefundState;

  @Column({ type: 'text' })
  proposedBy: string;

  @Column({ type: 'text' })
  proposedName: string;

  @Column(timeColumn)
  proposedAt: Date;

  /** Another operator. */
  @Column({ type: 'text', nullable: true })
  decidedBy: string | null;

  @Column({ type: 'text', nullable: true })
  decidedName: string | null;

  @Column({ ...timeColumn, nullable: true })
  decidedAt: Date | null;

  /** Unix seconds: the end of the authorization that was signed last. */
  @Column({ ...bigintColumn, nullable: true })
  validBefore: bigint | null;

  @Column({ type: 'bytea', nullable: true })
  signature: Buffer | null;

  @Column({ ...bigintColumn, nullable: true })
  unusedAtBlock: bigint | null;

  /** The process that follows it. */
  @Column({ type: 'uuid', nullable: true })
  replicaId: string | null;

  @Column({ type: 'text', nullable: true })
  wallet: string | null;

  @Column({ ...bigintColumn, nullable: true })
  walletNonce: bigint | null;

  /** The transaction that moved it. */
  @Column({ type: 'text', nullable: true })
  transaction: string | null;

  /** Why the last attempt did not move it; it is tried again. */
  @Column({ type: 'text', nullable: true })
  failure: string | null;
}
