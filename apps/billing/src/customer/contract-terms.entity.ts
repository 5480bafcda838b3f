import { atomicColumn, timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, ForeignKey, PrimaryColumn, Unique } from 'typeorm';
import { ContractEntity } from './contract.entity.js';

/** The price of a unit of a product beyond the plan, for calls made from a time on. Append-only. */
@Entity({ name: 'contract_price' })
@Unique('contract_price_from', ['contractId', 'sku', 'validFrom'])
@Check('contract_price_price', 'unit_price >= 0')
export class ContractPriceEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'contract_price_pk' })
  id: string;

  @Column({ type: 'uuid' })
  @ForeignKey(() => ContractEntity, { name: 'contract_price_contract' })
  contractId: string;

  @Column({ type: 'text' })
  sku: string;

  /** Micro-dollars; null: the plan's again. */
  @Column({ ...atomicColumn, nullable: true })
  unitPrice: bigint | null;

  @Column(timeColumn)
  validFrom: Date;

  @Column({ type: 'text' })
  madeBy: string;

  @Column(timeColumn)
  madeAt: Date;
}

/** What the invoice of a month comes to at least, from a month on. Append-only. */
@Entity({ name: 'contract_commit' })
@Unique('contract_commit_from', ['contractId', 'validFrom'])
@Check('contract_commit_amount', 'amount >= 0')
export class ContractCommitEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'contract_commit_pk' })
  id: string;

  @Column({ type: 'uuid' })
  @ForeignKey(() => ContractEntity, { name: 'contract_commit_contract' })
  contractId: string;

  /** Micro-dollars for a whole month; 0: nothing from then on. */
  @Column(atomicColumn)
  amount: bigint;

  /** The start of a month. */
  @Column(timeColumn)
  validFrom: Date;

  @Column({ type: 'text' })
  madeBy: string;

  @Column(timeColumn)
  madeAt: Date;
}
