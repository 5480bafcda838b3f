import type { AssetCode } from '@keyfare/core/money';
import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

/** An account of the ledger. It counts one asset and is never closed. Append-only. */
@Entity({ name: 'ledger_account' })
@Unique('ledger_account_asset', ['code', 'asset'])
@Check('ledger_account_type', `type in ('asset', 'liability', 'equity', 'income', 'expense')`)
@Check('ledger_account_known_asset', `asset in ('USD', 'USDC', 'EURC')`)
export class LedgerAccountEntity {
  @PrimaryColumn({ type: 'text', primaryKeyConstraintName: 'ledger_account_pk' })
  code: string;

  @Column({ type: 'text' })
  asset: AssetCode;

  @Column({ type: 'text' })
  type: 'asset' | 'liability' | 'equity' | 'income' | 'expense';
}
