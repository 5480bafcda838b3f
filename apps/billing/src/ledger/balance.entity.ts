import type { LedgerAssetCode } from '@keyfare/core/money';
import { atomicColumn, bigintColumn } from '@keyfare/db/columns';
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { LedgerAccountEntity } from './ledger-account.entity.js';

/** All debits and credits of an account. The database keeps it in the transaction that writes a movement. */
@Entity({ name: 'balance' })
@ForeignKey(() => LedgerAccountEntity, ['account', 'asset'], ['code', 'asset'], { name: 'balance_account' })
export class BalanceEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'balance_pk' })
  account: string;

  @Column({ type: 'text' })
  asset: LedgerAssetCode;

  @Column(atomicColumn)
  debits: bigint;

  @Column(atomicColumn)
  credits: bigint;
}

/** The same of one day (UTC), by the date that journals have in the books. */
@Entity({ name: 'balance_day' })
@Index('balance_day_by_day', ['day'])
export class BalanceDayEntity {
  @ForeignKey(() => LedgerAccountEntity, { name: 'balance_day_account' })
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'balance_day_pk' })
  account: string;

  @PrimaryColumn({ type: 'date', primaryKeyConstraintName: 'balance_day_pk' })
  day: string;

  @Column(atomicColumn)
  debits: bigint;

  @Column(atomicColumn)
  credits: bigint;
}

/** What came in less what went out of a wallet on such a day, by the kind of journal; kept as the balances are. */
@Entity({ name: 'wallet_day' })
export class WalletDayEntity {
  @ForeignKey(() => LedgerAccountEntity, { name: 'wallet_day_account' })
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'wallet_day_pk' })
  account: string;

  @PrimaryColumn({ type: 'date', primaryKeyConstraintName: 'wallet_day_pk' })
  day: string;

  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'wallet_day_pk' })
  kind: string;

  /** How many movements. */
  @Column(bigintColumn)
  lines: bigint;

  @Column(atomicColumn)
  amount: bigint;
}
