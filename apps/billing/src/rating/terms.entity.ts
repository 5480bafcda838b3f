import { atomicColumn, bigintColumn, timeColumn } from '@keyfare/db/columns';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The terms of one account from one moment on, as a signed entry says. Append-only: new terms are a new row. */
@Entity({ name: 'terms' })
@Index('terms_account', ['account', 'revision', 'effectiveAt', 'place'])
export class TermsEntity {
  /** The entry. */
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'terms_pk' })
  id: string;

  @Column({ type: 'text' })
  account: string;

  @Column({ type: 'text' })
  accountName: string;

  @Column({ type: 'text' })
  planId: string;

  @Column({ type: 'text' })
  planSlug: string;

  @Column(bigintColumn)
  planVersion: bigint;

  @Column(atomicColumn)
  includedUnits: bigint;

  @Column({ type: 'text' })
  overage: 'reject' | 'invoice' | 'x402';

  /** Micro-dollars for each unit beyond the included ones. */
  @Column(atomicColumn)
  overagePrice: bigint;

  /** Micro-dollars for each month. */
  @Column(atomicColumn)
  monthlyPrice: bigint;

  @Column(timeColumn)
  effectiveAt: Date;

  /** From when on nothing is sold to the account; null: no end was agreed. */
  @Column({ ...timeColumn, nullable: true })
  endsAt: Date | null;

  /** Counts the account's changes of terms; 0 for terms from before they were counted. */
  @Column({ ...bigintColumn, default: 0 })
  revision: bigint;

  /** The entry's place in the log: a call is rated by terms that were read before it. */
  @Column(bigintColumn)
  place: bigint;
}
