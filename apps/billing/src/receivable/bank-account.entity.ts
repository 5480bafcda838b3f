import { timeColumn } from '@keyfare/db/columns';
import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Mapping } from './mapping.js';

/** A bank account of ours, and how its statements are read. */
@Entity({ name: 'bank_account' })
@Index('bank_account_iban', ['iban'], { unique: true, where: 'iban is not null' })
@Check('bank_account_currency', `currency = 'USD'`)
export class BankAccountEntity {
  @PrimaryColumn({ type: 'uuid', primaryKeyConstraintName: 'bank_account_pk' })
  id: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'text', nullable: true })
  iban: string | null;

  @Column({ type: 'text' })
  currency: string;

  @Column({ type: 'jsonb' })
  mapping: Mapping;

  @Column(timeColumn)
  createdAt: Date;
}
